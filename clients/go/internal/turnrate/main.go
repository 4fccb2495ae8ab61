// Command turnrate reads a turn again and again, by connect-go's generated client and by [breakglass.Client.AttachTurn], and
// prints what each reading took: turnrate URL TURN ROUNDS. `npm run bench client-rates` runs it.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"connectrpc.com/connect"

	breakglass "breakglass.test/clients/go"
	"breakglass.test/clients/go/breakglassv1"
	"breakglass.test/clients/go/breakglassv1/breakglassv1connect"
)

type reading struct {
	Events           uint32  `json:"events"`
	Seconds          float64 `json:"seconds"`
	ProcessorSeconds float64 `json:"processorSeconds"`
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: turnrate URL TURN ROUNDS")
	}
	url, turnID := os.Args[1], os.Args[2]
	rounds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	client, err := breakglass.NewClient(url)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	generated := breakglassv1connect.NewBreakglassServiceClient(cleartextHTTP2(), url, connect.WithGRPC())
	readings := map[string][]reading{}
	for range rounds {
		readings["bare"] = append(readings["bare"], timed(func() (uint32, error) { return readBare(generated, turnID) }))
		readings["client"] = append(readings["client"], timed(func() (uint32, error) { return readByClient(client, turnID) }))
	}
	if err := json.NewEncoder(os.Stdout).Encode(readings); err != nil {
		log.Fatal(err)
	}
}

func cleartextHTTP2() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

func readBare(client breakglassv1connect.BreakglassServiceClient, turnID string) (uint32, error) {
	stream, err := client.AttachTurn(context.Background(), connect.NewRequest(&breakglassv1.AttachTurnRequest{TurnId: turnID}))
	if err != nil {
		return 0, err
	}
	defer stream.Close()
	var last uint32
	for stream.Receive() {
		if sequence := stream.Msg().GetEvent().GetSequence(); sequence > 0 {
			last = sequence
		}
	}
	return last, stream.Err()
}

func readByClient(client *breakglass.Client, turnID string) (uint32, error) {
	var last uint32
	for event, err := range client.AttachTurn(context.Background(), &breakglassv1.AttachTurnRequest{TurnId: turnID}) {
		if err != nil {
			return 0, err
		}
		if sequence := event.GetSequence(); sequence > 0 {
			last = sequence
		}
	}
	return last, nil
}

func timed(read func() (uint32, error)) reading {
	before := processorSeconds()
	start := time.Now()
	events, err := read()
	if err != nil {
		log.Fatal(err)
	}
	return reading{events, time.Since(start).Seconds(), processorSeconds() - before}
}

// processorSeconds is what this process has had of all processors.
func processorSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
