package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"usherd/console/password"
)

func (a *app) consoleCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "console", Short: "Prepare the console for administrators",
		Args: noSuchCommand, RunE: showHelp,
	}
	cmd.AddCommand(&cobra.Command{
		Use: "password", Short: "Make the hash of a password for console.admins", Args: noArgs,
		Long: `password asks for a password, twice, and prints its hash (argon2id) for password_hash in the configuration. Where
the input is no terminal, the password is its first line. It needs no configuration and keeps nothing.`,
		Example: "  usherd console password\n  pwgen -s 24 1 | tee password.txt | usherd console password",
		RunE:    func(*cobra.Command, []string) error { return a.hashPassword() },
	})
	return cmd
}

func (a *app) hashPassword() error {
	text, err := a.readPassword()
	if err != nil {
		return err
	}
	hash, err := password.Hash(text)
	if errors.Is(err, password.ErrLength) {
		return usagef("%s", err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, hash)
	return err
}

// readPassword asks for a password without showing it, or takes the first line of an input that is no terminal.
func (a *app) readPassword() (string, error) {
	f, ok := a.in.(*os.File)
	if !ok || !xterm.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(a.in, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(a.err, prompt)
		text, err := xterm.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.err)
		return string(text), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	again, err := ask("Once more: ")
	if err == nil && again != first {
		err = usagef("the two are not the same: nothing is printed")
	}
	return first, err
}
