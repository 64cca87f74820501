//! Every limit and time of the edge.

use std::time::Duration;

/// How long a request may wait while no target can take it.
pub const HOLD: Duration = Duration::from_secs(30);
/// How many requests of a service may wait at a time; the next are answered 503 at once.
pub const MAX_HELD: usize = 1000;
/// Time for a target to begin its answer, from when the request was sent.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for a connection to a target: targets are on the same network.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a request that got lost with its connection is sent again.
pub const MAX_RESENT: u32 = 3;

/// Time for a client to send a request's head, from when its connection is free for one. So long
/// an idle connection is kept, too.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a TLS handshake, and for the first byte of a connection.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the first words of a client are waited for, where it is not known what is spoken: where
/// there are none, it is for the server to speak first.
pub const FIRST_WORDS: Duration = Duration::from_secs(3);
/// Time in which a body has to go on by at least a byte, in either direction.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Size of a request's head in bytes, or of its header list in HTTP/2.
pub const MAX_HEAD: usize = 32 * 1024;
/// Requests at a time in one HTTP/2 connection.
pub const MAX_STREAMS: u32 = 128;
/// Connections of clients at a time, for each listener.
pub const MAX_CONNECTIONS: usize = 10_000;
/// Listeners of a table: as many sockets fit in one message to another process.
pub const MAX_LISTENERS: usize = 200;
/// Connections that wait to be accepted.
pub const BACKLOG: u32 = 4096;

/// Idle connections that are kept for each target.
pub const MAX_IDLE: usize = 256;
/// How long one is kept.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How old an idle connection may be for a request that can't be sent twice: a target that closes
/// it just then would lose the request.
pub const FRESH: Duration = Duration::from_secs(1);
/// How long the addresses behind a target's name are taken to be the same.
pub const NAME_LIFETIME: Duration = Duration::from_secs(5);

/// Time between two tries to reach a target that refused a connection, at first.
pub const PROBE_FIRST: Duration = Duration::from_millis(50);
/// The same, at most: it doubles each time.
pub const PROBE_MOST: Duration = Duration::from_secs(1);
/// Failed checks in a row after which a target is taken out.
pub const CHECK_FAILURES: u32 = 3;
/// Time between two checks, where there are any.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time for a check's answer.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing comes on a connection until the other end is asked whether it is still there, how often it is asked
/// again, and how many questions without an answer end it: whoever lost their network says no goodbye.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// See [`KEEP_ALIVE`].
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// See [`KEEP_ALIVE`].
pub const KEEP_ALIVE_TRIES: u32 = 3;
/// How long targets may take to end what they do.
pub const DRAIN: Duration = Duration::from_secs(30);
/// How often it is looked at whether they have.
pub const DRAIN_INTERVAL: Duration = Duration::from_millis(20);
/// How long is waited for a file to become free, where too many are open for another connection.
pub const FILES_INTERVAL: Duration = Duration::from_millis(50);
/// How often a process that was replaced looks whether routes are others by now.
pub const FOLLOW: Duration = Duration::from_millis(100);
/// How long a process that was replaced waits before it closes connections that are idle: a client
/// that uses its connection is told to close it, and loses no request that crosses the closing.
pub const IDLE_GRACE: Duration = Duration::from_secs(5);

/// How long targets can be taken out at most, by one request for it.
pub const MAX_OUT: Duration = Duration::from_secs(600);

/// Lines of the access log that wait to be written; more are left out, and counted.
pub const LOG_LINES: usize = 8192;
/// Size of a request to the control socket in bytes.
pub const MAX_CONTROL: usize = 4 * 1024 * 1024;
/// Time for a process that takes over to be ready.
pub const TAKE_OVER: Duration = Duration::from_secs(15);
/// Time before a worker that died is started again.
pub const RESTART_DELAY: Duration = Duration::from_millis(200);
