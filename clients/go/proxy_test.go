package breakglass_test

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// cuttingProxy stands in front of a server, on real sockets, and breaks connections as networks do.
type cuttingProxy struct {
	listener net.Listener
	mu       sync.Mutex
	target   string
	cuts     []cut // Of the next connections.
	pairs    map[*pair]struct{}
	made     int
	isHeld   bool
}

// cut says after how many bytes from the server a connection ends, and how.
type cut struct {
	after   int
	isReset bool
}

type pair struct {
	client, server *net.TCPConn
	isBlack        chan struct{}
	blacken        func()
}

func startProxy(t *testing.T) *cuttingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &cuttingProxy{listener: listener, pairs: map[*pair]struct{}{}}
	go proxy.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		proxy.cutAll()
	})
	return proxy
}

func (p *cuttingProxy) host() string { return p.listener.Addr().String() }
func (p *cuttingProxy) url() string  { return "http://" + p.host() }

// forwardTo says where new connections go. Before that, and with an empty text, none is accepted.
func (p *cuttingProxy) forwardTo(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = strings.TrimPrefix(url, "http://")
}

// cutNext has the next connections cut, one after the other, and ends those that are open.
func (p *cuttingProxy) cutNext(cuts ...cut) {
	p.mu.Lock()
	p.cuts = cuts
	p.mu.Unlock()
	p.cutAll()
}

func (p *cuttingProxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair := range p.pairs {
		pair.end(true)
	}
}

// blacken passes nothing on any more over the connections that are open, which stay open; new ones work.
func (p *cuttingProxy) blacken() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair := range p.pairs {
		pair.blacken()
	}
}

// hold has new connections be black from their beginning, while true.
func (p *cuttingProxy) hold(isHeld bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isHeld = isHeld
}

func (p *cuttingProxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

func (p *cuttingProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serve(client.(*net.TCPConn))
	}
}

func (p *cuttingProxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	var server net.Conn
	err := net.ErrClosed
	if p.target != "" {
		server, err = net.Dial("tcp", p.target)
	}
	if err != nil {
		_ = client.SetLinger(0)
		_ = client.Close()
		return
	}
	limit := cut{after: -1}
	if len(p.cuts) > 0 {
		limit, p.cuts = p.cuts[0], p.cuts[1:]
	}
	black := make(chan struct{})
	pair := &pair{client: client, server: server.(*net.TCPConn), isBlack: black, blacken: sync.OnceFunc(func() { close(black) })}
	if p.isHeld {
		pair.blacken()
	}
	p.pairs[pair] = struct{}{}
	go pair.pass(pair.client, pair.server, -1, false)
	go func() {
		pair.pass(pair.server, pair.client, limit.after, limit.isReset)
		p.mu.Lock()
		delete(p.pairs, pair)
		p.mu.Unlock()
	}()
}

// pass hands on what comes until it is over, or as many bytes as that, -1: all.
func (p *pair) pass(from, to *net.TCPConn, left int, isReset bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-p.isBlack:
			if err == nil {
				continue
			}
		default:
			if left >= 0 {
				n = min(n, left)
				left -= n
			}
			_, _ = to.Write(buffer[:n])
		}
		if err != nil || left == 0 {
			p.end(isReset)
			return
		}
	}
}

func (p *pair) end(isReset bool) {
	for _, conn := range []*net.TCPConn{p.client, p.server} {
		if isReset {
			_ = conn.SetLinger(0)
		}
		_ = conn.Close()
	}
}
