package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"usherd/config"
	"usherd/scim/oauth"
	"usherd/sso/saml2"
)

// checkFiles finds files that sources name and that are not there, or not what they should be. Load does
// not look at them: they may belong to another machine, and come and go while the configuration stays.
func checkFiles(file *config.File) config.Faults {
	var faults config.Faults
	look := func(path, name string, check func([]byte) string) {
		if message := checkFile(name, check); message != "" {
			line, column := file.Position(path)
			faults = append(faults, config.Fault{File: file.Path, Line: line, Column: column, Path: path, Message: message})
		}
	}
	if s := file.Config.SCIM; s != nil {
		look("scim.tls.cert_file", s.TLS.CertFile, checkPEM)
		look("scim.tls.key_file", s.TLS.KeyFile, func([]byte) string { return checkPair(s.TLS.CertFile, s.TLS.KeyFile) })
	}
	if s := file.Config.SSO; s != nil {
		look("sso.tls.cert_file", s.TLS.CertFile, checkPEM)
		look("sso.tls.key_file", s.TLS.KeyFile, func([]byte) string { return checkPair(s.TLS.CertFile, s.TLS.KeyFile) })
		for i, k := range s.Keys {
			at := fmt.Sprintf("sso.keys[%d].", i)
			look(at+"cert_file", k.CertFile, checkPEM)
			look(at+"key_file", k.KeyFile, func([]byte) string { return checkSigningKey(k) })
		}
	}
	for i, o := range file.Config.Organizations {
		for j, s := range o.Sources {
			at, d := fmt.Sprintf("organizations[%d].sources[%d].", i, j), s.Directory
			look(at+"directory.tls.ca_file", d.TLS.CAFile, checkPEM)
			look(at+"directory.tls.cert_file", d.TLS.CertFile, checkPEM)
			look(at+"directory.tls.key_file", d.TLS.KeyFile, nil)
			look(at+"directory.bind.keytab", d.Bind.Keytab, nil)
			look(at+"directory.bind.krb5_conf", d.Bind.Krb5Conf, nil)
			if s.SCIM != nil {
				look(at+"scim.oauth.keys_file", s.SCIM.OAuth.KeysFile, checkKeys)
			}
			if s.SAML != nil {
				look(at+"saml.metadata_file", s.SAML.MetadataFile, func(text []byte) string { return checkMetadata(text, s.SAML.EntityID) })
				for k, name := range s.SAML.CertificateFiles {
					look(fmt.Sprintf("%ssaml.certificate_files[%d]", at, k), name, checkPEM)
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

// checkPair says what is wrong with a certificate and its key together; what is wrong with the certificate's file
// is told of that.
func checkPair(certFile, keyFile string) string {
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil && checkFile(certFile, checkPEM) == "" {
		return "it does not go with " + certFile + ": " + err.Error()
	}
	return ""
}

// checkSigningKey says what is wrong with one of our keys.
func checkSigningKey(k config.ServerTLS) string {
	if message := checkPair(k.CertFile, k.KeyFile); message != "" {
		return message
	}
	if _, err := signingKey(k); errors.Is(err, errNoRSA) {
		return err.Error()
	}
	return ""
}

// checkKeys says what is wrong with the public keys of an identity provider.
func checkKeys(text []byte) string {
	if _, err := oauth.ParseKeys(text); err != nil {
		return err.Error()
	}
	return ""
}

// checkMetadata says what is wrong with the metadata of an identity provider.
func checkMetadata(text []byte, entityID string) string {
	if _, err := saml2.ReadMetadata(text, entityID); err != nil {
		return err.Error()
	}
	return ""
}

func checkPEM(text []byte) string {
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
	}
	return ""
}
