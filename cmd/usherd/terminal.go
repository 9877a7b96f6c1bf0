package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// writeFile writes a file as a whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".usherd-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if err = write(tmp); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// printable makes blanks of control characters: what a directory says must not steer a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// width is how wide tables may be: the terminal's COLUMNS, no limit where the output is a file.
func (a *app) width() int {
	if !interactive(a.out) {
		return 0
	}
	if text, ok := a.env("COLUMNS"); ok {
		if n, err := strconv.Atoi(text); err == nil && n >= 40 {
			return n
		}
	}
	if n := terminalWidth(a.out); n >= 40 {
		return n
	}
	return 80
}

// narrow reports whether a table must do with less: the year and what is told elsewhere are left out.
func (a *app) narrow() bool {
	const wide = 100
	n := a.width()
	return n > 0 && n < wide
}

// color follows the terminal and https://no-color.org.
func (a *app) color() bool {
	if v, ok := a.env("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, _ := a.env("TERM"); v == "dumb" {
		return false
	}
	return interactive(a.out)
}
