//! What became of the values, by class and form, on standard error.

use tollgate_redaction::{Counts, Withheld};
use tollgate_residency::{Class, Form};

use crate::commands::recording::Recording;
use crate::exit::Exit;
use crate::plain;

/// What became of a file.
pub(super) struct Summary {
    pub(super) counts: Counts,
    /// Items that the walk left out.
    pub(super) rejected: u64,
    /// Messages that are no requests.
    pub(super) unreadable: u64,
    /// Why nothing crosses at all, if that is so.
    pub(super) closed: Option<String>,
}

impl Summary {
    /// Nothing crosses, whatever the file holds.
    pub(super) fn closed(why: String, recording: Recording) -> Result<Self, Exit> {
        let mut unreadable = 0;
        for message in recording {
            unreadable += u64::from(message?.is_err());
        }
        Ok(Self { counts: Counts::default(), rejected: 0, unreadable, closed: Some(why) })
    }

    /// Whether everything could be read.
    pub(super) fn is_whole(&self) -> bool {
        self.unreadable == 0 && self.rejected == 0
    }

    #[expect(clippy::print_stderr, reason = "standard output is what would cross")]
    pub(super) fn say(&self) {
        eprint!("{}", plain::lines(&self.text()));
    }

    fn text(&self) -> String {
        let counts = &self.counts;
        let mut text = String::new();
        match &self.closed {
            Some(why) => text.push_str(&format!("nothing crosses: {why}\n")),
            None => text.push_str(&format!("{} of {} items would cross\n", counts.items_out, counts.items_in)),
        }
        for reason in Withheld::ALL.into_iter().filter(|reason| counts.withheld_for(*reason) > 0) {
            text.push_str(&format!("  withheld, {}: {}\n", reason.as_str(), counts.withheld_for(reason)));
        }
        for class in Class::ALL {
            let forms = Form::ALL.into_iter().filter(|form| counts.values(class, *form) > 0);
            let forms: Vec<String> = forms.map(|form| format!("{form} {}", counts.values(class, form))).collect();
            if !forms.is_empty() {
                text.push_str(&format!("  {:<13} {}\n", class.as_str(), forms.join(", ")));
            }
        }
        for (count, what) in [
            (counts.keys_missing, "values stay because no key is here: --dev-keys makes one up"),
            (self.rejected, "items cannot be read"),
            (self.unreadable, "messages cannot be read"),
        ] {
            if count > 0 {
                text.push_str(&format!("  {count} {what}\n"));
            }
        }
        text
    }
}
