package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// services are the parts of a Sigstore that sign.
type services struct {
	fulcio   string
	logs     []logService
	stampers []string // endpoints of timestamp authorities
	signIn   string   // where people sign in, if the signing config tells
}

// logService is a transparency log, Rekor of version 1 or 2.
type logService struct {
	url     string
	version uint32
}

// findServices takes them from the options, or from the signing config that these name.
func findServices(o options, now time.Time) (s services, err error) {
	switch {
	case o.signingConfig != "" && o.named():
		return s, signer.Invalidf("remove signingConfig, or fulcioURL, rekorURL, rekorVersion and tsaURL", "option \"signingConfig\" names all services already")
	case o.signingConfig != "":
		s, err = servicesOfFile(o.signingConfig, now)
	default:
		s, err = servicesOfOptions(o)
	}
	if err != nil {
		return services{}, err
	}
	return s, s.check()
}

func servicesOfOptions(o options) (services, error) {
	for _, c := range []struct{ name, value string }{{"fulcioURL", o.fulcioURL}, {"rekorURL", o.rekorURL}} {
		if c.value == "" {
			return services{}, signer.Invalidf("fulcioURL and rekorURL are needed, and tsaURL unless rekorVersion is 1", "option %q is missing", c.name)
		}
	}
	s := services{fulcio: o.fulcioURL, logs: []logService{{o.rekorURL, 2}}}
	if o.rekorVersion != 0 {
		s.logs[0].version = uint32(o.rekorVersion)
	}
	if o.tsaURL != "" {
		s.stampers = []string{o.tsaURL}
	}
	return s, nil
}

// servicesOfFile reads a signing config.
func servicesOfFile(path string, now time.Time) (services, error) {
	text, err := readFile("signingConfig", path)
	if err != nil {
		return services{}, err
	}
	config, err := root.NewSigningConfigFromJSON(text)
	if err != nil {
		return services{}, signer.Invalidf("`cosign signing-config create` writes one", "option \"signingConfig\": %s is no signing config v0.2: %v", path, err)
	}
	return servicesOfConfig(config, fmt.Sprintf("option \"signingConfig\": %s", path), now)
}

// servicesOfConfig takes those services of a signing config (protobuf-specs, sigstore_trustroot.proto) that are in use
// now, as many as it says.
func servicesOfConfig(config *root.SigningConfig, where string, now time.Time) (services, error) {
	fulcio, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		return services{}, signer.Invalidf("", "%s: certificate authority: %v", where, err)
	}
	s := services{fulcio: fulcio.URL}
	logs, err := root.SelectServices(config.RekorLogURLs(), config.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
	if err != nil {
		return services{}, signer.Invalidf("", "%s: transparency log: %v", where, err)
	}
	for _, l := range logs {
		s.logs = append(s.logs, logService{l.URL, l.MajorAPIVersion})
	}
	if p, err := root.SelectService(config.OIDCProviderURLs(), []uint32{1}, now); err == nil {
		s.signIn = p.URL // without one nobody can sign in, which matters only to whoever wants to
	}
	if len(config.TimestampAuthorityURLs()) == 0 {
		return s, nil
	}
	stampers, err := root.SelectServices(config.TimestampAuthorityURLs(), config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
	if err != nil {
		return services{}, signer.Invalidf("", "%s: timestamp authority: %v", where, err)
	}
	for _, a := range stampers {
		s.stampers = append(s.stampers, a.URL)
	}
	return s, nil
}

// check refuses what could not make signatures that verify, and brings the URLs into the form in which paths are added.
func (s *services) check() error {
	integrated := false // a log says when it got the entry
	all := []*string{&s.fulcio}
	for i := range s.logs {
		all = append(all, &s.logs[i].url)
		integrated = integrated || s.logs[i].version == 1
	}
	for i := range s.stampers {
		all = append(all, &s.stampers[i])
	}
	for _, u := range all {
		if !isService(*u) {
			return signer.Invalidf("write it like https://fulcio.example.com", "a service has no URL that can be used: want http or https, a host, and neither credentials, query nor fragment")
		}
		*u = strings.TrimRight(*u, "/")
	}
	if !integrated && len(s.stampers) == 0 {
		return signer.Invalidf("set tsaURL to the endpoint of a timestamp authority", "version 2 of Rekor gives no time of signing, and there is no timestamp authority")
	}
	return nil
}

func isService(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// warnings tells of an identity token that would travel readable for all.
func (s *services) warnings() []string {
	u, err := url.Parse(s.fulcio)
	if err != nil || u.Scheme == "https" || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
		return nil
	}
	return []string{"the identity token goes to Fulcio over plain HTTP; use https"}
}

// maxFile bounds the files that options name; Sigstore's own are smaller than 100 kB.
const maxFile = 4 << 20

// readFile reads a file that an option names.
func readFile(option, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		return nil, signer.Invalidf("name the file itself", "option %q: %s is no regular file of a few kilobytes", option, path)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, signer.Invalidf("paths relate to the directory of publish.yaml", "option %q: read %s: %v", option, filepath.ToSlash(path), err)
	}
	return text, nil
}
