"""The demo: real flights through the whole system, watched live, judged by what stands in Kafka."""
