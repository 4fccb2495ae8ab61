// Package breakglass calls a breakglass server, which runs an AI agent and streams its work.
//
// A [Client] reads a turn's events over as many connections as that takes: every one once and in order, over connections
// that break, servers that restart, and silence. It does what docs/clients.md of the repository says.
//
// Messages are those of the package breakglassv1, which also holds grpc-go's stubs; connect-go's are in breakglassv1connect.
package breakglass

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1/breakglassv1connect"
)

const (
	// No message of a server's has more than 3 MiB.
	readMaxBytes = 4 << 20
	// How long the answer of a call may take that a server gives at once.
	answerTimeout = 8 * time.Second
	// Of one that waits for an agent to stop, or for files to be removed.
	slowAnswerTimeout = 60 * time.Second
)

// Client calls one server. It may be used by several goroutines at once. Whoever made it closes it.
type Client struct {
	// Service has every method as it is in the proto, each one call that does not come back by itself. Those that answer
	// once are given up after 8 s, and those that stop or delete something after 60 s.
	Service breakglassv1connect.BreakglassServiceClient

	drop   func()
	closed context.Context // Ended by Close, with ErrClientClosed as its cause.
	close  func()
}

// ErrClientClosed is why a stream ends that is read by a client which is closed. It is not tried again.
var ErrClientClosed = errors.New("breakglass: the client is closed")

// ClientOption changes what [NewClient] makes.
type ClientOption func(*clientConfig)

type clientConfig struct {
	token      string
	protocol   Protocol
	tls        *tls.Config
	httpClient connect.HTTPClient
	options    []connect.ClientOption
}

// WithToken has every call show a token, as its bearer.
func WithToken(token string) ClientOption {
	return func(c *clientConfig) { c.token = token }
}

// WithTLSConfig says whom to trust, and which certificate to show, where the URL begins with https.
func WithTLSConfig(config *tls.Config) ClientOption {
	return func(c *clientConfig) { c.tls = config }
}

// WithHTTPClient makes calls over another client than the package's own. Its Timeout must be 0. A connection that is taken
// for dead is then dropped only as far as CloseIdleConnections does it.
func WithHTTPClient(client connect.HTTPClient) ClientOption {
	return func(c *clientConfig) { c.httpClient = client }
}

// Protocol is how calls are spoken over HTTP.
type Protocol int

const (
	// ProtocolGRPC is gRPC.
	ProtocolGRPC Protocol = iota
	// ProtocolGRPCWeb is gRPC-Web, for proxies that pass no trailers on.
	ProtocolGRPCWeb
	// ProtocolConnect is Connect.
	ProtocolConnect
)

// WithProtocol says how calls are spoken; gRPC unless told.
func WithProtocol(protocol Protocol) ClientOption {
	return func(c *clientConfig) { c.protocol = protocol }
}

// WithConnectOptions hands connect-go further options, such as interceptors.
func WithConnectOptions(options ...connect.ClientOption) ClientOption {
	return func(c *clientConfig) { c.options = append(c.options, options...) }
}

// NewClient prepares a client of the server at a URL, such as http://127.0.0.1:7433. Connections are opened by calls.
func NewClient(serverURL string, options ...ClientOption) (*Client, error) {
	parsed, err := url.Parse(serverURL)
	if err != nil {
		return nil, fmt.Errorf("breakglass: %w", err)
	}
	if (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return nil, fmt.Errorf("breakglass: %q is no URL of a server: it begins with http:// or https://, and names a host", serverURL)
	}
	var config clientConfig
	for _, option := range options {
		option(&config)
	}
	closed, cancel := context.WithCancelCause(context.Background())
	client := &Client{drop: func() {}, closed: closed, close: func() { cancel(ErrClientClosed) }}
	if config.httpClient == nil {
		connections := newConnections(config.tls, closed)
		config.httpClient = &http.Client{Transport: connections.transport}
		client.drop = connections.drop
	} else if idle, ok := config.httpClient.(interface{ CloseIdleConnections() }); ok {
		client.drop = idle.CloseIdleConnections
	}
	calls := append([]connect.ClientOption{
		config.protocol.option(),
		connect.WithReadMaxBytes(readMaxBytes),
		connect.WithInterceptors(bearer(config.token), answerLimit{closed}),
	}, config.options...)
	client.Service = breakglassv1connect.NewBreakglassServiceClient(config.httpClient, serverURL, calls...)
	return client, nil
}

func (p Protocol) option() connect.ClientOption {
	switch p {
	case ProtocolGRPCWeb:
		return connect.WithGRPCWeb()
	case ProtocolConnect:
		// What connect-go speaks unless told.
		return connect.WithClientOptions()
	default:
		return connect.WithGRPC()
	}
}

// Close ends the connection and every call on it; streams end by [ErrClientClosed]. No turn ends by it. Idempotent.
func (c *Client) Close() error {
	c.close()
	c.drop()
	return nil
}

// bearer is the token that calls show; empty: none.
type bearer string

func (b bearer) set(header http.Header) {
	if b != "" {
		header.Set("Authorization", "Bearer "+string(b))
	}
}

func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		b.set(request.Header())
		return next(ctx, request)
	}
}

func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		b.set(conn.RequestHeader())
		return conn
	}
}

func (b bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// answerLimit bounds how long a call waits for its answer, and ends it with its client. A stream's reader knows both by itself.
type answerLimit struct{ closed context.Context }

var errLateAnswer = errors.New("was not answered in time")

func (a answerLimit) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		limit := answerTimeout
		switch request.Spec().Procedure {
		case breakglassv1connect.BreakglassServiceCancelTurnProcedure,
			breakglassv1connect.BreakglassServiceInterruptTurnProcedure,
			breakglassv1connect.BreakglassServiceDeleteSessionProcedure:
			limit = slowAnswerTimeout
		}
		late := fmt.Errorf("%s %w: %v", request.Spec().Procedure, errLateAnswer, limit)
		limited, cancel := context.WithTimeoutCause(ctx, limit, late)
		defer cancel()
		limited, stop := untilClosed(limited, a.closed)
		defer stop()
		response, err := next(limited, request)
		if err != nil && a.closed.Err() != nil {
			return nil, connect.NewError(connect.CodeCanceled, ErrClientClosed)
		}
		if err != nil && ctx.Err() == nil && errors.Is(context.Cause(limited), errLateAnswer) {
			return nil, connect.NewError(connect.CodeDeadlineExceeded, late)
		}
		return response, err
	}
}

func (answerLimit) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (answerLimit) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// untilClosed returns a context that ends with ctx, and with a client. Whoever asked for it cancels it.
func untilClosed(ctx, closed context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(context.Cause(closed)) }
	if closed.Err() != nil {
		end()
	}
	stop := context.AfterFunc(closed, end)
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
