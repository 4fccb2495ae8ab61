package breakglass

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"breakglass.test/clients/go/breakglassv1"
)

// Outcome is how a turn ended.
type Outcome struct {
	// Turn is the turn as it ended.
	Turn *breakglassv1.Turn
	// Text is the agent's last words, or its error. Of a turn that an error event ended: what the agent said last by itself.
	Text string
	// Usage is the tokens that the turn used. Nil: unknown.
	Usage *breakglassv1.Usage
	// CostUSD is what the turn cost in US dollars, as the agent reckons. 0: nothing, or unknown.
	CostUSD float64
	// Denials are the tool calls that were denied. A turn with denials may not have done what it says.
	Denials []*breakglassv1.PermissionDenial
	// Result is the terminal event where the agent ended the turn, else nil.
	Result *breakglassv1.ResultEvent
	// Error is the terminal event where something else ended it, else nil.
	Error *breakglassv1.ErrorEvent
}

// TurnError says that a turn ended otherwise than well: its state is FAILED, CANCELED or LOST.
type TurnError struct {
	// Outcome is how it ended.
	Outcome *Outcome
}

func (e *TurnError) Error() string {
	message := e.Outcome.Text
	if failure := e.Outcome.Error; failure != nil {
		reason := strings.TrimPrefix(failure.GetReason().String(), "ERROR_REASON_")
		message = fmt.Sprintf("%s: %s", reason, failure.GetMessage())
	}
	state := strings.TrimPrefix(e.Outcome.Turn.GetState().String(), "TURN_STATE_")
	return fmt.Sprintf("breakglass: the turn %s ended %s: %s", e.Outcome.Turn.GetTurnId(), state, message)
}

// RunTurn runs a turn to its end, over as many connections as that takes. It starts it as [Client.StreamTurn] does, and fails as
// that does.
//
// A turn that ended otherwise than well is a *[TurnError], with the outcome beside it. ctx ends the waiting, and never the turn.
func (c *Client) RunTurn(ctx context.Context, request *breakglassv1.RunTurnRequest, options ...StreamOption) (*Outcome, error) {
	outcome := &Outcome{}
	var turnID string
	for event, err := range c.StreamTurn(ctx, request, options...) {
		if err != nil {
			return nil, err
		}
		turnID = event.GetTurnId()
		outcome.note(event)
	}
	turn, err := c.turn(ctx, turnID, newStreamConfig(options))
	if err != nil {
		return nil, err
	}
	outcome.Turn = turn
	if turn.GetState() != breakglassv1.TurnState_TURN_STATE_SUCCEEDED {
		return outcome, &TurnError{Outcome: outcome}
	}
	return outcome, nil
}

func (o *Outcome) note(event *breakglassv1.TurnEvent) {
	switch kind := event.GetKind().(type) {
	case *breakglassv1.TurnEvent_Text:
		if kind.Text.GetParentToolId() == "" {
			o.Text = kind.Text.GetText()
		}
	case *breakglassv1.TurnEvent_Result:
		o.Result, o.Text = kind.Result, kind.Result.GetResult()
		o.Usage, o.CostUSD = kind.Result.GetUsage(), kind.Result.GetTotalCostUsd()
		o.Denials = kind.Result.GetPermissionDenials()
	case *breakglassv1.TurnEvent_Error:
		o.Error = kind.Error
		o.Usage, o.CostUSD = kind.Error.GetUsage(), kind.Error.GetTotalCostUsd()
	}
}

// turn asks for a turn, again where that can help.
func (c *Client) turn(ctx context.Context, turnID string, config streamConfig) (*breakglassv1.Turn, error) {
	ctx, cancel := untilClosed(ctx, c.closed)
	defer cancel()
	out := newOutage(config.backOff, config.silence)
	out.isHeard = true
	for {
		response, err := c.Service.GetTurn(ctx, connect.NewRequest(&breakglassv1.GetTurnRequest{TurnId: turnID}))
		if err == nil {
			return response.Msg.GetTurn(), nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		retryIn, isWorthIt := out.failed(err)
		if !isWorthIt {
			return nil, err
		}
		// Not even a silent connection is to be in the way of the next.
		if errors.Is(err, errLateAnswer) {
			c.drop()
		}
		if !wait(ctx, retryIn) {
			return nil, context.Cause(ctx)
		}
	}
}
