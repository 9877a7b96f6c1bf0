package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// bareServer is this program in a second process, which answers with stored bytes.
type bareServer struct {
	target
	ends io.Closer
}

func (b *bench) startBare(ctx context.Context) (*bareServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &bareServer{target: target{cmd: exec.CommandContext(ctx, self, "-bare")}} //nolint:gosec // this program
	s.cmd.Stderr = b.o.log
	if s.ends, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the bare server did not start: %w", err), s.close())
	}
	s.url = line[:len(line)-1]
	return s, nil
}

// close ends the server, which goes on until its standard input ends.
func (s *bareServer) close() error { return errors.Join(s.ends.Close(), s.cmd.Wait()) }

// maxBare is how many bytes the bare server has.
const maxBare = 1 << 20

// serveBare is the second process: it writes its address to out and answers a request for /N with N bytes, until in
// ends.
func serveBare(ctx context.Context, in io.Reader, out io.Writer) error {
	stored := make([]byte, maxBare)
	for i := range stored {
		stored[i] = 'x'
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || n < 0 || n > maxBare {
			http.Error(w, "no such size", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(stored[:n]) // a client that has gone needs no answer
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	if _, err := fmt.Fprintln(out, "http://"+ln.Addr().String()); err != nil {
		return errors.Join(err, server.Close())
	}
	_, err = io.Copy(io.Discard, in)
	err = errors.Join(err, server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
