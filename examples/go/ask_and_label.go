// Ask a stream for a prediction and send the label later, with kafka-go.
//
//	go run . localhost:9092 flights '{"x0": 5.1, "x1": 3.5}' true
//
// The answer is printed as it arrives. The row and the label are JSON.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

const timeout = 30 * time.Second

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(bootstrap, stream, row, label string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	clientID, requestID := "client-"+rand.Text(), rand.Text()
	answers, err := startReading(ctx, bootstrap, stream+".predictions")
	if err != nil {
		return err
	}
	// The writer's default balancer ignores the key. Requests and labels may arrive in any partition.
	writer := &kafka.Writer{Addr: kafka.TCP(bootstrap), BatchTimeout: 10 * time.Millisecond}
	defer writer.Close()

	request := fmt.Sprintf(`{"id": %q, "features": %s}`, requestID, row)
	err = writer.WriteMessages(ctx, kafka.Message{
		Topic:   stream + ".requests",
		Key:     []byte(requestID),
		Value:   []byte(request),
		Headers: []kafka.Header{{Key: "reply-to", Value: []byte(clientID)}},
	})
	if err != nil {
		return err
	}
	answer, err := waitForAnswer(ctx, answers, clientID, requestID)
	if err != nil {
		return err
	}
	fmt.Println(string(answer))

	truth := fmt.Sprintf(`{"id": %q, "label": %s, "event_time": %d}`, requestID, label, time.Now().UnixMilli())
	return writer.WriteMessages(ctx, kafka.Message{
		Topic: stream + ".labels",
		Key:   []byte(requestID),
		Value: []byte(truth),
	})
}

// startReading sends the messages of all partitions to a channel, from their present ends on. The
// ends are looked up before the request is sent, so its answer cannot be missed.
func startReading(ctx context.Context, bootstrap, topic string) (<-chan kafka.Message, error) {
	partitions, err := kafka.LookupPartitions(ctx, "tcp", bootstrap, topic)
	if err != nil {
		return nil, err
	}
	found := make(chan kafka.Message)
	for _, partition := range partitions {
		end, err := endOf(ctx, bootstrap, topic, partition.ID)
		if err != nil {
			return nil, err
		}
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers:        []string{bootstrap},
			Topic:          topic,
			Partition:      partition.ID,
			IsolationLevel: kafka.ReadCommitted, // Answers are written in transactions.
			MaxWait:        100 * time.Millisecond,
		})
		if err := reader.SetOffset(end); err != nil {
			return nil, err
		}
		go forward(ctx, reader, found)
	}
	return found, nil
}

func endOf(ctx context.Context, bootstrap, topic string, partition int) (int64, error) {
	leader, err := kafka.DialLeader(ctx, "tcp", bootstrap, topic, partition)
	if err != nil {
		return 0, err
	}
	defer leader.Close()
	return leader.ReadLastOffset()
}

func forward(ctx context.Context, reader *kafka.Reader, found chan<- kafka.Message) {
	defer reader.Close()
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return
		}
		select {
		case found <- message:
		case <-ctx.Done():
			return
		}
	}
}

// waitForAnswer returns the first answer to a request: a prediction or an error.
func waitForAnswer(ctx context.Context, answers <-chan kafka.Message, clientID, requestID string) ([]byte, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer to %s within %s", requestID, timeout)
		case message := <-answers:
			if !isFor(clientID, message) {
				continue // The answers to other clients need not be decoded.
			}
			var answer struct{ ID string }
			if err := json.Unmarshal(message.Value, &answer); err != nil {
				return nil, err
			}
			if answer.ID == requestID {
				return message.Value, nil
			}
		}
	}
}

func isFor(clientID string, message kafka.Message) bool {
	for _, header := range message.Headers {
		if header.Key == "reply-to" {
			return string(header.Value) == clientID
		}
	}
	return false
}
