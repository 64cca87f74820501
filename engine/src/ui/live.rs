//! The live view of a watch on a terminal.

mod draw;
mod screen;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as TerminalEvent};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::deploy::{Event, LogEntry, Picture, Reporter, Stats};
use draw::draw;
use screen::{Next, Screen};

/// Time between two pictures at least: more often nobody can look.
const FRAME: Duration = Duration::from_millis(100);
/// The same at most: ages grow.
const IDLE: Duration = Duration::from_secs(1);
/// How soon the thread that reads keys notices that it is not needed any more.
const KEYS: Duration = Duration::from_millis(200);

/// What a live view is made from.
pub struct Live {
    /// The app.
    pub app: String,
    /// True if nothing is done but looking.
    pub look_only: bool,
    /// True if colours are to be used.
    pub colour: bool,
    /// The app as it is.
    pub pictures: watch::Receiver<Picture>,
    /// What clients see.
    pub stats: watch::Receiver<Stats>,
    /// What happens.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// What containers print.
    pub logs: mpsc::Receiver<LogEntry>,
}

/// Hands events on to a view.
pub struct LiveReporter(pub mpsc::UnboundedSender<Event>);

impl Reporter for LiveReporter {
    fn report(&self, event: Event) {
        // Whoever closed the view does not want to see it.
        let _ = self.0.send(event);
    }
}

/// A terminal that is as it was before when this is dropped; also after a panic, by ratatui's hook.
struct Terminal(DefaultTerminal);

impl Terminal {
    fn new() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Reads keys in a thread of its own, until nobody wants them.
struct Keys {
    over: Arc<AtomicBool>,
    events: mpsc::UnboundedReceiver<TerminalEvent>,
}

impl Keys {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (to, events) = mpsc::unbounded_channel();
        let ended = over.clone();
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let event = match event::poll(KEYS) {
                    Ok(true) => event::read(),
                    Ok(false) => continue,
                    Err(error) => Err(error),
                };
                // A terminal that is gone has no more keys: the channel's end says so.
                let Ok(event) = event else { return };
                if to.send(event).is_err() {
                    return;
                }
            }
        });
        Self { over, events }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Live {
    /// Shows it until a key, or `stop`, ends it; the terminal is then as it was.
    ///
    /// # Errors
    ///
    /// If the terminal can't be drawn on.
    pub async fn run(mut self, stop: &CancellationToken) -> io::Result<()> {
        let mut screen = Screen {
            app: self.app.clone(),
            look_only: self.look_only,
            colour: self.colour,
            ..Screen::default()
        };
        let mut terminal = Terminal::new()?;
        let mut keys = Keys::new();
        let mut drawn = Instant::now();
        let mut due = drawn;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                key = keys.events.recv() => match key {
                    Some(TerminalEvent::Key(key)) => {
                        if screen.key(key) == Next::End {
                            return Ok(());
                        }
                    }
                    Some(_) => {}
                    None => return Ok(()),
                },
                Ok(()) = self.pictures.changed() => {
                    screen.picture = self.pictures.borrow_and_update().clone();
                }
                Ok(()) = self.stats.changed() => {
                    screen.stats = self.stats.borrow_and_update().clone();
                }
                Some(event) = self.events.recv() => screen.happened(&event, Timestamp::now()),
                Some(entry) = self.logs.recv() => screen.printed(entry),
                () = sleep_until(due) => {
                    terminal.0.draw(|frame| draw(frame, &screen))?;
                    drawn = Instant::now();
                    due = drawn + IDLE;
                    // Nothing has changed yet.
                    continue;
                }
            }
            due = due.min(drawn + FRAME);
        }
    }
}
