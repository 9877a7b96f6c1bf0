package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"usherd/connector"
)

func (a *app) serveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run as a daemon: sync on schedule, serve health and metrics", Args: noArgs,
		Long: `serve runs each source at its schedule, checks domains daily, offers free seats to those who wait, and serves
/livez, /readyz and /metrics. SIGHUP reads the configuration again (a bad file changes nothing); SIGTERM and
Ctrl-C stop it, and a run that goes on then ends consistently.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			signals, stop := onReload()
			defer stop()
			file, err := a.load()
			if err != nil {
				return err
			}
			log := newLog(a.err, file.Config.Log)
			s, err := a.openFile(cmd.Context(), file, log)
			if err != nil {
				return err
			}
			ctx := connector.Acting(cmd.Context(), connector.Actor{}) // what the daemon does by itself nobody does
			err = a.serve(ctx, newDaemon(a, s, log, signals))
			return errors.Join(err, s.close())
		},
	}
}

// serve listens and runs the daemon.
func (a *app) serve(ctx context.Context, d *daemon) error {
	keepHeapFloor()
	for _, w := range d.site.file.Warnings {
		d.log.Warn("configuration", zap.String("warning", w.String()))
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", d.site.file.Config.Listen)
	if err != nil {
		return &connector.Error{
			Kind: connector.Unavailable, Op: "serve", Err: fmt.Errorf("cannot listen on %s: %w", d.site.file.Config.Listen, err),
			Hint: "another usherd may run already, or another program has the port: set listen in the configuration",
		}
	}
	return d.run(ctx, ln)
}
