//! Colours, or none.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// Turns words into coloured words, or leaves them alone.
#[derive(Debug, Clone, Copy)]
pub struct Styles {
    colour: bool,
}

macro_rules! styles {
    ($($(#[$doc:meta])* $name:ident = $style:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name(self, text: impl fmt::Display) -> String {
            self.paint($style, text)
        }
    )*};
}

impl Styles {
    /// With colours, or without.
    pub const fn new(colour: bool) -> Self {
        Self { colour }
    }

    /// True if there are colours.
    pub const fn coloured(self) -> bool {
        self.colour
    }

    styles! {
        /// What went well.
        good = AnsiColor::Green.on_default();
        /// What went wrong.
        bad = AnsiColor::Red.on_default().bold();
        /// What needs a look.
        odd = AnsiColor::Yellow.on_default();
        /// What matters less.
        dim = Style::new().dimmed();
        /// What matters more.
        bold = Style::new().bold();
        /// Names of plugins.
        plugin = AnsiColor::Magenta.on_default();
        /// Where something can be found.
        link = AnsiColor::Cyan.on_default().underline();
    }

    fn paint(self, style: Style, text: impl fmt::Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}
