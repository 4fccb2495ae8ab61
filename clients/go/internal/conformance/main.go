// Command conformance is what `breakglass conformance` runs the Go client by: it reads one case from stdin, and prints what
// the client delivers, an object of JSON a line. docs/conformance.md of the repository has both.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

// testCase is a case as the kit writes it.
type testCase struct {
	URL      string          `json:"url"`
	Protocol string          `json:"protocol"`
	Call     string          `json:"call"`
	Request  json.RawMessage `json:"request"`
	Options  struct {
		FirstWait   int `json:"first_wait_ms"`
		LongestWait int `json:"longest_wait_ms"`
		GiveUp      int `json:"give_up_ms"`
		FirstGiveUp int `json:"first_give_up_ms"`
		Silence     int `json:"silence_ms"`
	} `json:"options"`
	Token      string `json:"token"`
	LeaveAfter int    `json:"leave_after"`
	LeaveMS    int    `json:"leave_after_ms"`
	Pause      int    `json:"pause_ms"`
}

func main() {
	var given testCase
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fail(err)
	}
	client, err := given.client()
	if err != nil {
		fail(err)
	}
	ctx := context.Background()
	if given.LeaveMS > 0 {
		limited, cancel := context.WithTimeout(ctx, milliseconds(given.LeaveMS))
		defer cancel()
		ctx = limited
	}
	emit("end", endOf(given.run(ctx, client)))
	_ = client.Close()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func milliseconds(count int) time.Duration { return time.Duration(count) * time.Millisecond }

func (c *testCase) client() (*breakglass.Client, error) {
	options := []breakglass.ClientOption{breakglass.WithToken(c.Token)}
	switch c.Protocol {
	case "grpc":
	case "grpc-web":
		options = append(options, breakglass.WithProtocol(breakglass.ProtocolGRPCWeb))
	case "connect":
		// Over HTTP/1.1, as through a proxy that knows nothing else.
		options = append(options, breakglass.WithProtocol(breakglass.ProtocolConnect), breakglass.WithHTTPClient(&http.Client{Transport: &http.Transport{}}))
	default:
		return nil, fmt.Errorf("no protocol is called %q", c.Protocol)
	}
	return breakglass.NewClient(c.URL, options...)
}

func (c *testCase) streamOptions() []breakglass.StreamOption {
	return []breakglass.StreamOption{
		breakglass.WithBackOff(breakglass.BackOff{
			First:       milliseconds(c.Options.FirstWait),
			Longest:     milliseconds(c.Options.LongestWait),
			GiveUp:      milliseconds(c.Options.GiveUp),
			FirstGiveUp: milliseconds(c.Options.FirstGiveUp),
		}),
		breakglass.WithSilence(milliseconds(c.Options.Silence)),
	}
}

func (c *testCase) run(ctx context.Context, client *breakglass.Client) error {
	switch c.Call {
	case "stream_turn":
		return read(c, "event", client.StreamTurn(ctx, parse(c, &breakglassv1.RunTurnRequest{}), c.streamOptions()...))
	case "attach_turn":
		return read(c, "event", client.AttachTurn(ctx, parse(c, &breakglassv1.AttachTurnRequest{}), c.streamOptions()...))
	case "watch_session":
		return read(c, "change", client.WatchSession(ctx, parse(c, &breakglassv1.WatchSessionRequest{}), c.streamOptions()...))
	case "watch_turns":
		return read(c, "change", client.WatchTurns(ctx, parse(c, &breakglassv1.WatchTurnsRequest{}), c.streamOptions()...))
	case "run_turn":
		outcome, err := client.RunTurn(ctx, parse(c, &breakglassv1.RunTurnRequest{}), c.streamOptions()...)
		var ended *breakglass.TurnError
		if err != nil && !errors.As(err, &ended) {
			return err
		}
		emit("outcome", outcomeOf(outcome, err == nil))
		return nil
	case "ResolveApproval":
		return answer(ctx, client.Service.ResolveApproval, parse(c, &breakglassv1.ResolveApprovalRequest{}))
	case "SteerTurn":
		return answer(ctx, client.Service.SteerTurn, parse(c, &breakglassv1.SteerTurnRequest{}))
	case "InterruptTurn":
		return answer(ctx, client.Service.InterruptTurn, parse(c, &breakglassv1.InterruptTurnRequest{}))
	default:
		emit("unsupported", c.Call)
		return nil
	}
}

func parse[M proto.Message](c *testCase, request M) M {
	if err := protojson.Unmarshal(c.Request, request); err != nil {
		fail(err)
	}
	return request
}

// read prints what comes, until the reading is over or left.
func read[M proto.Message](c *testCase, what string, messages iter.Seq2[M, error]) error {
	count := 0
	for message, err := range messages {
		if err != nil {
			return err
		}
		emit(what, asJSON(message))
		if count++; count == c.LeaveAfter {
			break
		}
		time.Sleep(milliseconds(c.Pause))
	}
	return nil
}

func answer[Q, R any](ctx context.Context, call func(context.Context, *connect.Request[Q]) (*connect.Response[R], error), request *Q) error {
	response, err := call(ctx, connect.NewRequest(request))
	if err != nil {
		return err
	}
	emit("answer", asJSON(any(response.Msg).(proto.Message)))
	return nil
}

func outcomeOf(outcome *breakglass.Outcome, succeeded bool) map[string]any {
	denials := []json.RawMessage{}
	for _, denial := range outcome.Denials {
		denials = append(denials, asJSON(denial))
	}
	printed := map[string]any{
		"succeeded":          succeeded,
		"text":               outcome.Text,
		"total_cost_usd":     outcome.CostUSD,
		"permission_denials": denials,
		"turn":               asJSON(outcome.Turn),
	}
	if outcome.Usage != nil {
		printed["usage"] = asJSON(outcome.Usage)
	}
	if outcome.Error != nil {
		printed["error"] = asJSON(outcome.Error)
	}
	return printed
}

// endOf is how a reading ended, as the kit reads it.
func endOf(err error) map[string]any {
	var silence *breakglass.SilenceError
	var gap *breakglass.SequenceGapError
	var failure *connect.Error
	switch {
	case err == nil:
		return map[string]any{"kind": "ok"}
	case errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &failure):
		return map[string]any{"kind": "left"}
	case errors.Is(err, breakglass.ErrStreamCut), errors.Is(err, breakglass.ErrWatchCut):
		return map[string]any{"kind": "cut"}
	case errors.As(err, &silence):
		return map[string]any{"kind": "silence"}
	case errors.As(err, &gap):
		return map[string]any{"kind": "gap"}
	case !errors.As(err, &failure):
		fail(err)
	}
	info, _ := breakglass.InfoOf(err)
	violations := []map[string]string{}
	for field, description := range info.Violations {
		violations = append(violations, map[string]string{"field": field, "description": description})
	}
	end := map[string]any{
		"kind":       "status",
		"code":       codeName(failure.Code()),
		"reason":     info.Reason,
		"metadata":   info.Metadata,
		"violations": violations,
	}
	if info.RetryAfter > 0 {
		end["retry_delay_ms"] = info.RetryAfter.Milliseconds()
	}
	return end
}

func codeName(code connect.Code) string {
	return strings.ToUpper(code.String())
}

func asJSON(message proto.Message) json.RawMessage {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		fail(err)
	}
	return text
}

// emit prints a line with one member.
func emit(name string, value any) {
	line, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		fail(err)
	}
	fmt.Println(string(line))
}
