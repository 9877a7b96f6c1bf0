//go:build !linux

package main

// monotonic is asked for by systemd only, which is Linux's.
func monotonic() string { return "" }
