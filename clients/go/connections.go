package breakglass

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// How long a connection may take, and its TLS as long again.
	connectTimeout = 7 * time.Second
	// The server is never silent for longer than 15 s; a peer that is gone without a word is found by pings.
	pingAfter   = 20 * time.Second
	pingTimeout = 10 * time.Second
)

// connections are the open ones of a transport over HTTP/2, in cleartext for http. It knows them so as to give up those that
// are silent: a call that is canceled leaves its connection to the next one. Windows are net/http's, which are wide open.
type connections struct {
	transport *http.Transport
	mu        sync.Mutex
	open      map[*trackedConn]struct{}
}

func newConnections(config *tls.Config, closed context.Context) *connections {
	c := &connections{open: map[*trackedConn]struct{}{}}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	dialer := net.Dialer{Timeout: connectTimeout}
	c.transport = &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: connectTimeout,
		Protocols:           protocols,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if closed.Err() != nil {
				return nil, context.Cause(closed)
			}
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return c.track(conn), nil
		},
	}
	return c
}

func (c *connections) track(conn net.Conn) net.Conn {
	tracked := &trackedConn{Conn: conn, owner: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[tracked] = struct{}{}
	return tracked
}

// drop gives up the connections that are open, and every call on them; the next call opens another.
func (c *connections) drop() {
	c.mu.Lock()
	open := c.open
	c.open = map[*trackedConn]struct{}{}
	c.mu.Unlock()
	for conn := range open {
		_ = conn.Conn.Close()
	}
	c.transport.CloseIdleConnections()
}

// trackedConn is no longer known once it is closed.
type trackedConn struct {
	net.Conn
	owner *connections
}

func (t *trackedConn) Close() error {
	t.owner.mu.Lock()
	delete(t.owner.open, t)
	t.owner.mu.Unlock()
	return t.Conn.Close()
}
