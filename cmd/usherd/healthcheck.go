package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"usherd/config"
	"usherd/connector"
)

func (a *app) healthcheckCmd() *cobra.Command {
	var address string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask the daemon whether it is ready, for an image that has no curl", Args: noArgs,
		Long: `healthcheck asks /readyz of the daemon at the address that the configuration's listen names, which is all that it reads
there, or at --url. The exit code is 0 when the daemon is ready, and 1 when it is not or does not answer.`,
		Example: `  usherd healthcheck
  usherd healthcheck --url http://127.0.0.1:9470 --timeout 2s
  HEALTHCHECK CMD ["/usherd", "healthcheck"]`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return usagef("--timeout %s: write more than 0, such as 5s", timeout)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			u, err := a.readyURL(address)
			if err != nil {
				return err
			}
			if err := askReady(ctx, u); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.out, "ready")
			return err
		},
	}
	cmd.Flags().StringVar(&address, "url", "", "where the daemon serves health, such as http://127.0.0.1:9470; else what the configuration says")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the answer")
	return cmd
}

// readyURL is where to ask. A daemon that listens at every address of the machine is asked at its own.
func (a *app) readyURL(address string) (string, error) {
	if address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", usagef("--url %q is no address of a daemon: write it as http://127.0.0.1:9470", address)
		}
		return u.JoinPath("readyz").String(), nil
	}
	listen, err := config.Listen(a.configPath)
	if errors.Is(err, os.ErrNotExist) {
		return "", usagef("there is no configuration file %s: name one with -c, or the daemon's address with --url", a.configPath)
	} else if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", usagef("listen: %s names no port that could be asked: name the daemon's address with --url", listen)
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip.Equal(net.IPv4zero):
		host = "127.0.0.1"
	case ip.Equal(net.IPv6unspecified):
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

// askReady returns nil when the daemon is ready, and else what it says or why it says nothing.
func askReady(ctx context.Context, u string) error {
	notReady := func(err error) error {
		return &connector.Error{Kind: connector.Unavailable, Op: "healthcheck", Err: err, Hint: "the daemon's log says why; start it with: usherd serve"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
	if err != nil {
		return err
	}
	// No proxy and no other place: it is this daemon that is asked.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return notReady(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var said readiness
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && json.Unmarshal(body, &said) == nil && said.Error != "" {
		return notReady(fmt.Errorf("%s answers %s: %s", u, resp.Status, said.Error))
	}
	return notReady(fmt.Errorf("%s answers %s", u, resp.Status))
}
