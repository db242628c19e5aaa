"""What runs on one machine without anything installed: Apache Kafka's jars, the broker, and who watches the processes.

Owns: the local stack's processes and files. Must never: be needed by a worker that is given real servers.
"""
