package main

import (
	"crypto/x509"
	"fmt"
	"os"

	"usherd/config"
)

// checkFiles finds files that sources name and that are not there, or not what they should be. Load does
// not look at them: they may belong to another machine, and come and go while the configuration stays.
func checkFiles(file *config.File) config.Faults {
	var faults config.Faults
	for i, o := range file.Config.Organizations {
		for j, s := range o.Sources {
			at := fmt.Sprintf("organizations[%d].sources[%d].directory.", i, j)
			d := s.Directory
			for _, f := range []struct {
				key, path string
				check     func([]byte) string
			}{
				{"tls.ca_file", d.TLS.CAFile, checkPEM},
				{"tls.cert_file", d.TLS.CertFile, checkPEM},
				{"tls.key_file", d.TLS.KeyFile, nil},
				{"bind.keytab", d.Bind.Keytab, nil},
				{"bind.krb5_conf", d.Bind.Krb5Conf, nil},
			} {
				if message := checkFile(f.path, f.check); message != "" {
					line, column := file.Position(at + f.key)
					faults = append(faults, config.Fault{File: file.Path, Line: line, Column: column, Path: at + f.key, Message: message})
				}
			}
		}
	}
	return faults
}

// checkFile says what is wrong with a file, "" when nothing is or none is named.
func checkFile(path string, check func([]byte) string) string {
	if path == "" {
		return ""
	}
	text, err := os.ReadFile(path) //nolint:gosec // the administrator names it
	switch {
	case os.IsNotExist(err):
		return "there is no file " + path
	case err != nil:
		return "it cannot be read: " + err.Error()
	case check != nil:
		return check(text)
	}
	return ""
}

func checkPEM(text []byte) string {
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
	}
	return ""
}
