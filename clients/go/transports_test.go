package breakglass_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// authority is a certificate authority of a test's own.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{certificate: &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// settings are those of a server at 127.0.0.1 with a certificate of the authority's.
func (a *authority) settings(t *testing.T) []string {
	t.Helper()
	key := newKey(t)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return []string{
		"BREAKGLASS_TLS_CERT=" + write("server.pem", "CERTIFICATE", der),
		"BREAKGLASS_TLS_KEY=" + write("server.key", "PRIVATE KEY", private),
	}
}

func (a *authority) trusted() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{RootCAs: pool}
}

// noting notes over which version of HTTP answers came.
type noting struct {
	http.RoundTripper
	versions map[string]int
}

func (n noting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := n.RoundTripper.RoundTrip(request)
	if err == nil {
		n.versions[response.Proto]++
	}
	return response, err
}

// A turn is read over a restart of the server however it is called. gRPC takes HTTP/2.
func TestTransports(t *testing.T) {
	authority := newAuthority(t)
	servers := map[string]*testServer{"cleartext": startServer(t), "TLS": startServer(t, authority.settings(t)...)}
	for _, transport := range []struct {
		name, server, version string
		protocol              breakglass.Protocol
	}{
		{"gRPC over TLS", "TLS", "HTTP/2.0", breakglass.ProtocolGRPC},
		{"gRPC-Web over TLS", "TLS", "HTTP/2.0", breakglass.ProtocolGRPCWeb},
		{"Connect over TLS", "TLS", "HTTP/2.0", breakglass.ProtocolConnect},
		{"gRPC-Web over HTTP/1.1", "cleartext", "HTTP/1.1", breakglass.ProtocolGRPCWeb},
		{"Connect over HTTP/1.1", "cleartext", "HTTP/1.1", breakglass.ProtocolConnect},
		{"gRPC-Web over HTTP/1.1 and TLS", "TLS", "HTTP/1.1", breakglass.ProtocolGRPCWeb},
		{"Connect over HTTP/1.1 and TLS", "TLS", "HTTP/1.1", breakglass.ProtocolConnect},
	} {
		t.Run(transport.name, func(t *testing.T) {
			server := servers[transport.server]
			options := []breakglass.ClientOption{breakglass.WithProtocol(transport.protocol), breakglass.WithTLSConfig(authority.trusted())}
			versions := map[string]int{}
			if transport.version == "HTTP/1.1" {
				plain := &http.Transport{TLSClientConfig: authority.trusted()}
				options = append(options, breakglass.WithHTTPClient(&http.Client{Transport: noting{plain, versions}}))
			}
			client := newClient(t, server.url, options...)
			var got []*breakglassv1.TurnEvent
			for event, err := range client.StreamTurn(testContext(t), script("say one", "say two", "hang"), atOnce) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, event)
				if event.GetSequence() == 3 {
					server.end(syscall.SIGKILL)
					server.start()
				}
			}
			if last := got[len(got)-1].GetError(); last.GetReason() != breakglassv1.ErrorReason_ERROR_REASON_SERVER_RESTARTED {
				t.Errorf("the last event is %v", got[len(got)-1])
			}
			expectLog(t, got, logOf(t, client, got[0].GetTurnId()))
			if transport.version == "HTTP/1.1" && (len(versions) != 1 || versions["HTTP/1.1"] < 3) {
				t.Errorf("it was answered over %v", versions)
			}
		})
	}
}

// What a client that does not trust the server is told, and how soon it gives up: as of a connection that broke.
func TestCertificateThatIsNotTrusted(t *testing.T) {
	authority, other := newAuthority(t), newAuthority(t)
	server := startServer(t, authority.settings(t)...)
	for name, untrusting := range map[string]struct {
		url    string
		config *tls.Config
	}{
		"another authority":     {server.url, other.trusted()},
		"the system's":          {server.url, nil},
		"a name it has not got": {strings.Replace(server.url, "127.0.0.1", "localhost", 1), authority.trusted()},
	} {
		t.Run(name, func(t *testing.T) {
			var told []error
			hook := breakglass.WithConnectionHook(func(change breakglass.ConnectionChange) { told = append(told, change.Err) })
			soon := breakglass.WithBackOff(breakglass.BackOff{First: time.Millisecond, FirstGiveUp: 100 * time.Millisecond})
			client := newClient(t, untrusting.url, breakglass.WithTLSConfig(untrusting.config))
			_, err := client.RunTurn(testContext(t), script("say one"), soon, hook)
			var certificate *tls.CertificateVerificationError
			if !errors.As(err, &certificate) || connect.CodeOf(err) != connect.CodeUnavailable {
				t.Errorf("it ends by %v", err)
			}
			if len(told) == 0 || !errors.As(told[0], &certificate) {
				t.Errorf("it was told of %v", told)
			}
		})
	}
}
