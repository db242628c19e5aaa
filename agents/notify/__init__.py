"""Alerts to those without Kafka: webhooks, notifications, tags. One file names the destinations; each is a group of its own."""
