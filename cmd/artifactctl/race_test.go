//go:build race

package main_test

// raceEnabled says that the tests run with the race detector, so that the program is built with it, too.
const raceEnabled = true
