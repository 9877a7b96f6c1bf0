package testserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"usherd/internal/testproc"
)

// loopback reserves one of the addresses 127.0.0.10 to 127.0.0.250, for servers whose ports are fixed. Test
// programs that run at the same time get different ones: each holds the lock of a file named after its
// address until the function returned is called or the program ends.
func loopback() (address string, release func(), err error) {
	dir, err := testproc.CacheFile("addresses") // the same for all test programs, whatever their temporary folder is
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	taken := errors.New("all are in use by tests") // until one is seen that is not
	for i := 10; i <= 250; i++ {
		ip := "127.0.0." + strconv.Itoa(i)
		release, err := testproc.LockFile(filepath.Join(dir, ip+".lock"), false)
		if err != nil {
			continue
		}
		if err = unused(ip); err == nil {
			return ip, release, nil
		}
		taken = err
		release()
	}
	return "", nil, fmt.Errorf("testserver: no loopback address from 127.0.0.10 to 127.0.0.250 is free: %w", taken)
}

// unused returns nil when Samba's ports are free on an address.
func unused(ip string) error {
	for port := range strings.FieldsSeq("88 389 464 636 3268 3269") {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err != nil {
			return err // somebody may listen on 0.0.0.0, which takes the port of every address
		}
		l.Close()
	}
	return nil
}
