//! From bytes to values: whatever the bytes are, there is a value of each type in them.

/// Texts that mean something to the host, so that they need not be found by chance.
const WORDS: [&str; 56] = [
    "",
    "a",
    "web",
    "db",
    "host",
    "none",
    "private",
    "container:other",
    "Host",
    "host ",
    "container",
    "/",
    "/srv",
    "/srv/data",
    "/srv/data/sub",
    "/srv/data/../../etc",
    "/srv/data/..",
    "//srv//data",
    "/srv/database",
    "/srv/./data",
    "/var/run/docker.sock",
    "/run/../run/docker.sock",
    "/dev/fuse",
    "/dev/../dev/fuse",
    "/dev/sda",
    "/dev/fuse/../sda",
    "rwm",
    "rw",
    "x",
    "ALL",
    "all",
    "CAP_SYS_ADMIN",
    "SYS_ADMIN",
    "NET_ADMIN",
    "cap_net_admin",
    "CAP_CAP_NET_ADMIN",
    "seccomp=unconfined",
    "apparmor=unconfined",
    "no-new-privileges:false",
    "label=disable",
    "dev.rengine.app",
    "dev.rengine.",
    "Dev.Rengine.app",
    "com.example.team",
    "A=B",
    "A\nB",
    "A\0B",
    "\u{1b}[2J",
    "127.0.0.1",
    "::1",
    "size=64m,exec,suid,dev",
    "data",
    "Dockerfile",
    "../Dockerfile",
    "bin/start",
    "nginx:1",
];

/// Lengths of long texts: around the limit, and beyond what a line of anything has.
const LENGTHS: [usize; 4] = [300, 5000, 1 << 20, (1 << 20) + 1];

/// The script, read from its beginning. Behind its end are zeros.
pub struct Reader<'a> {
    characters: std::str::Chars<'a>,
}

impl<'a> Reader<'a> {
    pub fn new(script: &'a str) -> Self {
        Self {
            characters: script.chars(),
        }
    }

    pub fn is_at_end(&self) -> bool {
        self.characters.as_str().is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.characters.next().map_or(0, |c| u32::from(c) as u8)
    }

    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub fn number(&mut self) -> u64 {
        match self.byte() {
            0 => u64::MAX,
            1 => 0,
            2 => i64::MAX as u64 + 1,
            // As many bytes as the rest of it says.
            byte => (0..byte % 9).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    pub fn small(&mut self) -> u32 {
        self.number() as u32
    }

    pub fn port(&mut self) -> u16 {
        self.number() as u16
    }

    pub fn float(&mut self) -> f64 {
        match self.byte() {
            0 => f64::NAN,
            1 => f64::NEG_INFINITY,
            2 => -0.0,
            3 => f64::MIN_POSITIVE,
            byte if byte % 2 == 0 => f64::from_bits(self.number()),
            byte => f64::from(byte) / 8.0,
        }
    }

    /// A text that means something, or one of any characters, or a long one.
    pub fn text(&mut self) -> String {
        match self.byte() {
            255 => "x".repeat(LENGTHS[usize::from(self.byte()) % LENGTHS.len()]),
            254 => {
                let count = usize::from(self.byte() % 32);
                (0..count)
                    .map(|_| char::from_u32(self.small() % 0x11_0000).unwrap_or('\u{fffd}'))
                    .collect()
            }
            byte if byte >= 200 => {
                let count = usize::from(byte - 200);
                (0..count).map(|_| char::from(self.byte())).collect()
            }
            byte => WORDS[usize::from(byte) % WORDS.len()].to_owned(),
        }
    }

    pub fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| read(self))
    }

    pub fn list<T>(&mut self, read: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = match self.byte() {
            255 if self.byte() == 255 => 20_000,
            byte => usize::from(byte % 8),
        };
        (0..count).map(|_| read(self)).collect()
    }

    /// How often to do something: seldom so often that a limit is reached.
    pub fn times(&mut self) -> u32 {
        match (self.byte(), self.byte()) {
            (255, 255) => 30_000,
            (byte, _) => u32::from(byte % 16),
        }
    }

    pub fn texts(&mut self) -> Vec<String> {
        self.list(Self::text)
    }
}
