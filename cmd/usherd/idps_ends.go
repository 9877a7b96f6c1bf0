package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

const (
	// idpEndsSoon is how long before its end people are told of a certificate, or of metadata in a file; once in
	// idpEndsAgain.
	idpEndsSoon  = 30 * 24 * time.Hour
	idpEndsAgain = 24 * time.Hour
)

// tellEnds tells of certificates, and of metadata, that end soon, or have. x.mu is held.
func (x *idps) tellEnds() {
	now := x.now()
	for key, i := range x.all {
		if i.code != 0 || now.Before(i.warn) {
			continue
		}
		source := zap.String("source", key.Org+"/"+key.ID)
		for _, c := range i.is.Certificates {
			if c.NotAfter.Sub(now) < idpEndsSoon {
				i.warn = now.Add(idpEndsAgain)
				x.log.Warn("a certificate of an identity provider ends", source, zap.String("certificate", c.Subject.String()),
					zap.Time("ends", c.NotAfter), zap.String("what_to_do", "enter the next one beside it: metadata, or certificate_files"))
			}
		}
		soon := idpEndsSoon
		if i.c.MetadataURL != "" {
			soon = 0 // it is read each hour, and may be made for a day
		}
		if until := i.is.Until; !until.IsZero() && until.Sub(now) < soon {
			i.warn = now.Add(idpEndsAgain)
			x.log.Warn("the metadata of an identity provider ends", source, zap.Time("ends", until),
				zap.String("what_to_do", "let the identity provider make it anew; what it says stays in force"))
		}
	}
	if now.Before(x.warn) {
		return
	}
	for _, k := range x.keys {
		if c := k.Certificate; c.NotAfter.Sub(now) < idpEndsSoon {
			x.warn = now.Add(idpEndsAgain)
			x.log.Warn("our certificate for SAML ends", zap.String("certificate", c.Subject.String()), zap.Time("ends", c.NotAfter),
				zap.String("what_to_do", "enter the next one second in sso.keys, and let the identity providers read our metadata again"))
		}
	}
}

var (
	idpCertificateEnd = prometheus.NewDesc("usherd_sso_certificate_end_timestamp_seconds",
		"When a certificate of an identity provider ends, or has ended, by the first half of its SHA-256; without org and source it is ours.",
		[]string{"org", "source", "certificate"}, nil)
	idpMetadataEnd = prometheus.NewDesc("usherd_sso_metadata_end_timestamp_seconds",
		"When the metadata of an identity provider ends, where it says so.", []string{"org", "source"}, nil)
	idpMetadataRead = prometheus.NewDesc("usherd_sso_metadata_read_timestamp_seconds",
		"When an identity provider was last read: its metadata, or its certificates; 0 = never.", []string{"org", "source"}, nil)
	idpKnown = prometheus.NewDesc("usherd_sso_idp_known", "1 while it is known how an identity provider signs, so that people can sign in.", []string{"org", "source"}, nil)
)

// Describe implements prometheus.Collector.
func (x *idps) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{idpCertificateEnd, idpMetadataEnd, idpMetadataRead, idpKnown} {
		to <- d
	}
}

// Collect implements prometheus.Collector: what it tells is as it is now, and nothing of what is not configured any more.
func (x *idps) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, i := range x.all {
		known, read := 0.0, 0.0
		if i.code == 0 {
			known = 1
		}
		if !i.read.IsZero() {
			read = float64(i.read.Unix())
		}
		gauge(idpKnown, known, key.Org, key.ID)
		gauge(idpMetadataRead, read, key.Org, key.ID)
		if !i.is.Until.IsZero() {
			gauge(idpMetadataEnd, float64(i.is.Until.Unix()), key.Org, key.ID)
		}
		for name, ends := range ends(i.is.Certificates) {
			gauge(idpCertificateEnd, ends, key.Org, key.ID, name)
		}
	}
	var ours []*x509.Certificate
	for _, k := range x.keys {
		ours = append(ours, k.Certificate)
	}
	for name, ends := range ends(ours) {
		gauge(idpCertificateEnd, ends, "", "", name)
	}
}

// ends are those of certificates, by a name that is short and of each its own.
func ends(list []*x509.Certificate) map[string]float64 {
	m := make(map[string]float64, len(list))
	for _, c := range list {
		sum := sha256.Sum256(c.Raw)
		m[hex.EncodeToString(sum[:16])] = float64(c.NotAfter.Unix())
	}
	return m
}
