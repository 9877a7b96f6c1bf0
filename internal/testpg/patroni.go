package testpg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"usherd/internal/testproc"
)

// PatroniOptions say what a cluster is to be like. The times are in seconds; zero values are Patroni's
// smallest that fit together: 10, 2 and 3.
type PatroniOptions struct {
	TTL, LoopWait, RetryTimeout int
	// Synchronous: nothing is acknowledged that the node which takes over would not have.
	Synchronous bool
}

// Cluster is three PostgreSQL servers that Patroni looks after, and one etcd. Its methods must not be called
// concurrently.
type Cluster struct {
	Nodes []*Node

	etcd    *testproc.Process
	etcdURL string
	o       PatroniOptions
	user    *testproc.User
}

// Node is one Patroni with its server.
type Node struct {
	*Server
	Name string
	rest string // address of Patroni's interface
	conf string
}

var patroniNeeds = testproc.Needs{Server: "Patroni", Packages: "patroni etcd-server python3-etcd", Programs: []string{"patroni", "etcd"}}

// Patroni starts a cluster for one test, waits until it has a leader and two followers, and ends it with the
// test. It takes about ten seconds.
func Patroni(tb testing.TB, o PatroniOptions) *Cluster {
	tb.Helper()
	bin, err := programs()
	if err == nil {
		err = patroniNeeds.Check()
	}
	orSkip(tb, nil, err)
	if o.TTL == 0 {
		o.TTL, o.LoopWait, o.RetryTimeout = 10, 2, 3
	}
	c := &Cluster{o: o}
	if c.user, err = testproc.Another("postgres", "nobody"); err == nil {
		err = c.startEtcd(tb)
	}
	for i := 1; i <= 3 && err == nil; i++ {
		err = c.startNode(tb, bin, "node"+strconv.Itoa(i))
	}
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Whole(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	leader, err := c.Leader(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := leader.SQL(tb.Context(), "postgres", "CREATE ROLE "+role+" LOGIN"); err != nil {
		tb.Fatal(err)
	}
	return c
}

func (c *Cluster) startEtcd(tb testing.TB) error {
	tb.Helper()
	dir, remove, err := folder()
	if err != nil {
		return err
	}
	tb.Cleanup(remove)
	ports, err := testproc.FreePorts(2)
	if err != nil {
		return err
	}
	c.etcdURL = "http://127.0.0.1:" + strconv.Itoa(ports[0])
	peer := "http://127.0.0.1:" + strconv.Itoa(ports[1])
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	c.etcd, err = testproc.Start(tb.Context(), testproc.Command{
		Argv: []string{
			testproc.Program("etcd"), "--name", "one", "--data-dir", data, "--listen-client-urls", c.etcdURL,
			"--advertise-client-urls", c.etcdURL, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "one=" + peer,
			"--unsafe-no-fsync",
		},
		Env: []string{"ETCD_UNSUPPORTED_ARCH=arm64"}, // else it refuses to run on one
		Dir: data, Log: filepath.Join(dir, "etcd.log"),
	})
	if err != nil {
		return err
	}
	tb.Cleanup(func() { c.etcd.Stop(stopTimeout) })
	return c.waitFor(tb.Context(), "etcd", func(ctx context.Context) bool {
		var health struct{ Health string }
		return ask(ctx, c.etcdURL+"/health", &health) == http.StatusOK && health.Health == "true"
	})
}

func (c *Cluster) startNode(tb testing.TB, bin, name string) error {
	tb.Helper()
	dir, remove, err := folder()
	if err != nil {
		return err
	}
	tb.Cleanup(remove)
	ports, err := testproc.FreePorts(2)
	if err != nil {
		return err
	}
	n := &Node{Server: &Server{Dir: dir, Port: ports[0], Programs: bin, user: c.user, o: Options{TCP: true}}, Name: name}
	n.rest, n.conf = "127.0.0.1:"+strconv.Itoa(ports[1]), filepath.Join(dir, "patroni.json")
	conf, err := json.Marshal(n.configuration(c))
	if err != nil {
		return err
	}
	if err := os.WriteFile(n.conf, conf, 0o600); err != nil {
		return err
	}
	if err := give(dir, n.user); err != nil {
		return err
	}
	c.Nodes = append(c.Nodes, n)
	tb.Cleanup(func() {
		n.Kill()
		if tb.Failed() {
			tb.Logf("the last words of %s: %s", name, n.lastWords())
		}
	})
	return n.Restart(tb.Context())
}

// configuration is Patroni's; JSON is YAML. pg_rewind, which makes a follower of an old leader, wants
// full_page_writes, so they stay on.
func (n *Node) configuration(c *Cluster) map[string]any {
	type m = map[string]any
	address := "127.0.0.1:" + strconv.Itoa(n.Port)
	settings := m{
		"fsync": "off", "max_connections": 100, "shared_buffers": "64MB",
		"dynamic_shared_memory_type": "mmap", "unix_socket_directories": n.Dir,
	}
	return m{
		"scope": "usherd", "name": n.Name, "restapi": m{"listen": n.rest, "connect_address": n.rest},
		"etcd3": m{"hosts": strings.TrimPrefix(c.etcdURL, "http://")},
		"bootstrap": m{
			"dcs": m{
				"ttl": c.o.TTL, "loop_wait": c.o.LoopWait, "retry_timeout": c.o.RetryTimeout, "synchronous_mode": c.o.Synchronous,
				"postgresql": m{"use_pg_rewind": true, "use_slots": true, "parameters": m{"wal_log_hints": "on"}},
			},
			"initdb": []any{"no-sync", m{"encoding": "UTF8"}, m{"auth": "trust"}, m{"locale": "C"}},
		},
		"postgresql": m{
			"listen": address, "connect_address": address, "data_dir": n.data(), "bin_dir": n.Programs, "pgpass": filepath.Join(n.Dir, "pgpass"),
			"authentication": m{"superuser": m{"username": "postgres"}, "replication": m{"username": "replicator"}, "rewind": m{"username": "postgres"}},
			"parameters":     settings,
			"pg_hba":         []string{"local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"},
		},
		"watchdog": m{"mode": "off"},
	}
}

// Restart starts the node's Patroni, which looks after the rest by itself.
func (n *Node) Restart(ctx context.Context) error {
	p, err := testproc.Start(ctx, testproc.Command{Argv: []string{testproc.Program("patroni"), n.conf}, Dir: n.Dir, Log: n.log(), User: n.user, Env: []string{"LC_ALL=C"}})
	if err != nil {
		return fmt.Errorf("testpg: patroni: %w", err)
	}
	n.proc, n.PID = p, p.PID
	return nil
}

// Kill ends Patroni and its server at once, as when the machine is lost.
func (n *Node) Kill() {
	n.Server.Kill()
	testproc.KillIn(n.data()) // Patroni lets go of the server that it starts
}

// Freeze halts Patroni and its server: it may wake when another one leads.
func (n *Node) Freeze() error {
	err := n.Server.Freeze()
	testproc.PauseIn(n.data(), true)
	return err
}

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error {
	testproc.PauseIn(n.data(), false)
	return n.Server.Thaw()
}

// role is what Patroni says of the node: "leader", "sync_standby", "replica" …, and whether it runs.
func (n *Node) role(ctx context.Context, from *Node) (role string, runs bool) {
	var all struct {
		Members []struct{ Name, Role, State string }
	}
	if ask(ctx, "http://"+from.rest+"/cluster", &all) != http.StatusOK {
		return "", false
	}
	for _, m := range all.Members {
		if m.Name == n.Name {
			return m.Role, m.State == "running" || m.State == "streaming"
		}
	}
	return "", false
}

// ask reads JSON from an address within a second and returns the status, 0 when there is no answer.
func ask(ctx context.Context, url string, into any) int {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if json.NewDecoder(resp.Body).Decode(into) != nil {
		return 0
	}
	return resp.StatusCode
}

// Leader waits until a node leads and takes writes, and returns it.
func (c *Cluster) Leader(ctx context.Context) (*Node, error) {
	var leader *Node
	err := c.waitFor(ctx, "a leader", func(ctx context.Context) bool {
		for _, n := range c.Nodes {
			var status struct{ Role string }
			if n.proc != nil && ask(ctx, "http://"+n.rest+"/primary", &status) == http.StatusOK {
				leader = n
				return true
			}
		}
		return false
	})
	return leader, err
}

// Whole waits until one node leads and the others follow, where asked for one of them synchronously.
func (c *Cluster) Whole(ctx context.Context) error {
	return c.waitFor(ctx, "a leader and two followers", func(ctx context.Context) bool {
		got := map[string]int{}
		for _, n := range c.Nodes {
			if role, runs := n.role(ctx, c.Nodes[0]); runs {
				got[role]++
			}
		}
		follow := got["replica"] + got["sync_standby"]
		return got["leader"] == 1 && follow == 2 && (!c.o.Synchronous || got["sync_standby"] == 1)
	})
}

func (c *Cluster) waitFor(ctx context.Context, what string, happened func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for !happened(ctx) {
		select {
		case <-t.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("testpg: waited for %s: %w", what, ctx.Err()))
		}
	}
	return nil
}

// Database makes an empty database, which the role owns, and returns its URL with all nodes.
func (c *Cluster) Database(tb testing.TB) string {
	tb.Helper()
	leader, err := c.Leader(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	name := "test" + strconv.FormatInt(databases.Add(1), 10)
	if _, err := leader.SQL(tb.Context(), "postgres", "CREATE DATABASE "+name+" OWNER "+role); err != nil {
		tb.Fatal(err)
	}
	servers := make([]*Server, len(c.Nodes))
	for i, n := range c.Nodes {
		servers[i] = n.Server
		// A client that asks a follower first is to be told that it cannot write, not that there is no such database.
		if err := n.until(tb.Context(), "postgres", "SELECT count(*) = 1 FROM pg_database WHERE datname = '"+name+"'"); err != nil {
			tb.Fatal(err)
		}
	}
	return URLOf(name, servers...)
}
