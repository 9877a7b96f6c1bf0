//go:build !linux

package main

import "os"

// peakMB is known on Linux only, where the directory servers run too.
func peakMB(*os.ProcessState) float64 { return 0 }
