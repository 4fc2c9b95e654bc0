package delivery

// Backoff is how long to wait after the nth try.
var Backoff = (*Dispatcher).backoff
