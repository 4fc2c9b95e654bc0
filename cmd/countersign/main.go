// Countersign proves that people hold what they claim to hold.
package main

import "github.com/countersign/countersign/app"

func main() { app.Main() }
