"""A router's port forwarding: what comes to these ports of one address goes on to the same ports of another.

    relay.py HERE THERE PORT...

The server behind it sees the router's inner address as the client's, as behind a router that translates both ways.
"""
import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(listener, there):
    while True:
        client, _ = listener.accept()
        try:
            server = socket.create_connection(there)
        except OSError:
            client.close()
            continue
        for ends in ((client, server), (server, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


here, there, *ports = sys.argv[1:]
threads = []
for port in map(int, ports):
    listener = socket.create_server((here, port))
    threads.append(threading.Thread(target=serve, args=(listener, (there, port)), daemon=True))
for thread in threads:
    thread.start()
print("ready", flush=True)
for thread in threads:
    thread.join()
