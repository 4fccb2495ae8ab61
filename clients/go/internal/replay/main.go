// Command replay reads a turn that has ended, and prints how many events came in how many seconds, as JSON:
//
//	replay URL TURN
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
)

type answer struct {
	Events  int     `json:"events"`
	Seconds float64 `json:"seconds"`
}

func main() {
	if len(os.Args) != 3 {
		fail("usage: replay URL TURN")
	}
	client, err := breakglass.NewClient(os.Args[1])
	if err != nil {
		fail(err)
	}
	start := time.Now()
	var read answer
	turn := &breakglassv1.AttachTurnRequest{TurnId: os.Args[2]}
	for event, err := range client.AttachTurn(context.Background(), turn) {
		if err != nil {
			fail(err)
		}
		if event.GetSequence() > 0 {
			read.Events++
		}
	}
	read.Seconds = time.Since(start).Seconds()
	if err := json.NewEncoder(os.Stdout).Encode(read); err != nil {
		fail(err)
	}
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
