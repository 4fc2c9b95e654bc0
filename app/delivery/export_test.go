package delivery

// Backoff is how long to wait after a try that failed.
var Backoff = (*Dispatcher).backoff
