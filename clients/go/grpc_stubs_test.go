package breakglass_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"

	"breakglass.test/clients/go/breakglassv1"
)

// The stubs of grpc-go call the server by themselves, in cleartext and over TLS.
func TestStubsOfGRPCGo(t *testing.T) {
	authority := newAuthority(t)
	for name, site := range map[string]struct {
		server      *testServer
		credentials credentials.TransportCredentials
	}{
		"cleartext": {startServer(t), insecure.NewCredentials()},
		"TLS":       {startServer(t, authority.settings(t)...), credentials.NewTLS(authority.trusted())},
	} {
		t.Run(name, func(t *testing.T) {
			_, host, _ := strings.Cut(site.server.url, "://")
			channel, err := grpc.NewClient(host, grpc.WithTransportCredentials(site.credentials))
			if err != nil {
				t.Fatal(err)
			}
			defer channel.Close()
			callStubs(t, breakglassv1.NewBreakglassServiceClient(channel))
		})
	}
}

func callStubs(t *testing.T, client breakglassv1.BreakglassServiceClient) {
	t.Helper()
	ctx := testContext(t)
	stream, err := client.RunTurn(ctx, script("say one", "result all is well"))
	if err != nil {
		t.Fatal(err)
	}
	var last *breakglassv1.TurnEvent
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = message.GetEvent()
	}
	if last.GetResult().GetResult() != "all is well" {
		t.Errorf("the last event is %v", last)
	}
	answer, err := client.GetTurn(ctx, &breakglassv1.GetTurnRequest{TurnId: last.GetTurnId()})
	if err != nil || answer.GetTurn().GetLastSequence() != last.GetSequence() {
		t.Errorf("the turn is %v: %v", answer, err)
	}
	_, err = client.GetTurn(ctx, &breakglassv1.GetTurnRequest{TurnId: "0191d1f0-0000-7000-8000-000000000001"})
	refusal := grpcstatus.Convert(err)
	var reason string
	for _, detail := range refusal.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			reason = info.GetReason()
		}
	}
	if refusal.Code() != codes.NotFound || reason != "NOT_FOUND" {
		t.Errorf("an unknown turn is %v, for %q", err, reason)
	}
}
