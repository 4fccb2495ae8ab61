package breakglass_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// windows say what a server may have on its way to a client of HTTP/2, of one stream and of all of a connection.
type windows struct{ stream, connection uint32 }

// windowsOf reads them off the frames that a client opens its connection with (RFC 9113, 6.5 and 6.9).
func windowsOf(t *testing.T, options ...breakglass.ClientOption) windows {
	t.Helper()
	const (
		preface           = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
		settings          = 0x4
		windowUpdate      = 0x8
		initialWindowSize = 0x4
		narrow            = 65_535
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	client, err := breakglass.NewClient("http://"+listener.Addr().String(), options...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	call := connect.NewRequest(&breakglassv1.ListSessionsRequest{})
	go func() { _, _ = client.Service.ListSessions(context.Background(), call) }()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	read := func(bytes uint32) []byte {
		buffer := make([]byte, bytes)
		if _, err := io.ReadFull(conn, buffer); err != nil {
			t.Fatal(err)
		}
		return buffer
	}
	if got := string(read(uint32(len(preface)))); got != preface {
		t.Fatalf("the connection begins with %q", got)
	}
	found := windows{narrow, narrow}
	for found.stream == narrow || found.connection == narrow {
		header := read(9)
		payload := read(binary.BigEndian.Uint32(header) >> 8)
		switch header[3] {
		case settings:
			for ; len(payload) > 0; payload = payload[6:] {
				if binary.BigEndian.Uint16(payload) == initialWindowSize {
					found.stream = binary.BigEndian.Uint32(payload[2:])
				}
			}
		case windowUpdate:
			found.connection += binary.BigEndian.Uint32(payload)
		}
	}
	return found
}

func TestWindowsAreOpen(t *testing.T) {
	if got := windowsOf(t); got.stream != 8<<20 || got.connection < 8<<20 {
		t.Errorf("a server may send %d bytes of a stream, and %d of all", got.stream, got.connection)
	}
}

func TestWindowsAreAsTold(t *testing.T) {
	if got := windowsOf(t, breakglass.WithWindow(3<<20)); got.stream != 3<<20 || got.connection < 3<<20 {
		t.Errorf("a server may send %d bytes of a stream, and %d of all", got.stream, got.connection)
	}
	for _, bytes := range []int{0, 65_534, 1 << 31} {
		if _, err := breakglass.NewClient("http://127.0.0.1:1", breakglass.WithWindow(bytes)); err == nil {
			t.Errorf("a window of %d bytes is taken", bytes)
		}
	}
}
