package breakglass_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// neverLost fails the test where a call is tried again.
func neverLost(t *testing.T) breakglass.StreamOption {
	return breakglass.WithConnectionHook(func(change breakglass.ConnectionChange) {
		t.Errorf("it was tried again after %v", change.Err)
	})
}

// refusalOf starts a turn, which is to be refused at once.
func refusalOf(t *testing.T, client *breakglass.Client, request *breakglassv1.RunTurnRequest) error {
	t.Helper()
	for event, err := range client.StreamTurn(testContext(t), request, neverLost(t)) {
		if err != nil {
			return err
		}
		t.Fatalf("it was not refused: %v", event)
	}
	return nil
}

func TestRefusalsAreFinalAndSayWhy(t *testing.T) {
	server := startServer(t)
	client := newClient(t, server.url)
	wait, open := server.gate("go on")
	defer open()
	running := script("say one", wait)
	running.RequestId = "5cf7d7c8-6f0c-4ad0-8bb6-3d9f34a6f0a1"
	var turn *breakglassv1.TurnEvent
	for event, err := range client.StreamTurn(testContext(t), running) {
		if err != nil {
			t.Fatal(err)
		}
		turn = event
		break
	}
	busy := script("say two")
	busy.SessionId = turn.GetSessionId()
	reused := script("say two")
	reused.RequestId = running.RequestId
	for _, refused := range []struct {
		request *breakglassv1.RunTurnRequest
		code    connect.Code
		reason  breakglass.Reason
	}{
		{&breakglassv1.RunTurnRequest{}, connect.CodeInvalidArgument, breakglass.ReasonInvalidArgument},
		{busy, connect.CodeFailedPrecondition, breakglass.ReasonTurnInProgress},
		{reused, connect.CodeAlreadyExists, breakglass.ReasonRequestIDReused},
	} {
		err := refusalOf(t, client, refused.request)
		info, isRefusal := breakglass.InfoOf(err)
		if !isRefusal || info.Reason != refused.reason || connect.CodeOf(err) != refused.code {
			t.Errorf("instead of %s comes %v", refused.reason, err)
		}
		switch info.Reason {
		case breakglass.ReasonInvalidArgument:
			if info.Violations["prompt"] == "" {
				t.Errorf("the violations are %v", info.Violations)
			}
		case breakglass.ReasonTurnInProgress:
			if info.Metadata["turn_id"] != turn.GetTurnId() {
				t.Errorf("the metadata are %v", info.Metadata)
			}
		}
	}
	if err := refusalOf(t, client, script("say \xff")); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a prompt that is no UTF-8 is %v", err)
	}
	unknown := connect.NewRequest(&breakglassv1.GetTurnRequest{TurnId: running.RequestId})
	if _, err := client.Service.GetTurn(testContext(t), unknown); breakglass.ReasonOf(err) != breakglass.ReasonNotFound {
		t.Errorf("an unknown turn is %v", err)
	}
}

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	line := fmt.Sprintf("sha256:%x ann\n", sha256.Sum256([]byte("a-token-of-32-characters-or-more")))
	if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	server := startServer(t, "BREAKGLASS_TOKENS_FILE="+file)
	for what, token := range map[string]string{"without a token": "", "with another": "another-token-of-32-characters-or-more"} {
		for _, protocol := range []breakglass.Protocol{breakglass.ProtocolGRPC, breakglass.ProtocolGRPCWeb, breakglass.ProtocolConnect} {
			stranger := newClient(t, server.url, breakglass.WithToken(token), breakglass.WithProtocol(protocol))
			err := refusalOf(t, stranger, script("say one"))
			if breakglass.ReasonOf(err) != breakglass.ReasonUnauthenticated || connect.CodeOf(err) != connect.CodeUnauthenticated {
				t.Errorf("%s comes %v", what, err)
			}
		}
	}
	client := newClient(t, server.url, breakglass.WithToken("a-token-of-32-characters-or-more"))
	outcome, err := client.RunTurn(testContext(t), script("say one"))
	if err != nil || outcome.Turn.GetPrincipal() != "ann" {
		t.Errorf("with one comes %v, %v", outcome, err)
	}
}

func TestServerThatIsNotThere(t *testing.T) {
	proxy := startProxy(t)
	soon := breakglass.WithBackOff(breakglass.BackOff{First: time.Millisecond, FirstGiveUp: 100 * time.Millisecond})
	_, err := newClient(t, proxy.url()).RunTurn(testContext(t), script("say one"), soon)
	if err == nil || proxy.connections() < 2 {
		t.Errorf("after %d connections comes %v", proxy.connections(), err)
	}
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:7433", "ftp://host", "http://"} {
		if _, err := breakglass.NewClient(url); err == nil {
			t.Errorf("%q is taken for a URL", url)
		}
	}
}

func TestEveryReasonHasItsName(t *testing.T) {
	theirs, err := os.ReadFile(filepath.Join(repository, "src", "errors.ts"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`(?m)^ {2}\| "([A-Z_]+)"`).FindAllStringSubmatch(string(theirs), -1)
	if len(reasons) < 20 {
		t.Fatalf("only %d reasons were found", len(reasons))
	}
	for _, reason := range reasons {
		if !strings.Contains(string(ours), `= "`+reason[1]+`"`) {
			t.Errorf("%s has no name", reason[1])
		}
	}
}
