//! A table's identity: a hash over all that decides what crosses.

use sha2::{Digest, Sha256};

use crate::form::Action;
use crate::pattern::Piece;
use crate::table::{Cell, Parts, Row};

/// Hashes a table's parts. The link's number and the instruments are not among them: a document that adds another
/// link, or a day on which a fallback takes over, changes nothing of what this link lets through.
pub(crate) fn of(parts: &Parts) -> [u8; 32] {
    let mut hash = Framed(Sha256::new());
    let scope = &parts.scope;
    hash.text("tollgate table 2");
    hash.text(&scope.from);
    hash.text(&scope.destination);
    hash.text(scope.signal.as_str());
    hash.text(&scope.origin.to_string());
    hash.count(parts.cells.len());
    parts.cells.iter().flatten().for_each(|action| hash.action(*action));
    for rows in [&parts.rows.keys, &parts.rows.templates] {
        let mut rows: Vec<_> = rows.iter().collect();
        rows.sort_by_key(|(name, _)| *name);
        hash.count(rows.len());
        for (name, row) in rows {
            hash.bytes(name);
            hash.row(row);
        }
    }
    hash.count(parts.keyed.len());
    for keyed in &parts.keyed {
        hash.text(&keyed.group);
        hash.text(&keyed.key);
        hash.number(keyed.epoch.as_secs());
    }
    hash.count(parts.patterns.len());
    for pattern in &parts.patterns {
        hash.count(pattern.pieces().len());
        pattern.pieces().iter().for_each(|piece| hash.piece(piece));
    }
    for list in [&parts.event_names, &parts.devices] {
        hash.count(list.len());
        list.iter().for_each(|name| hash.text(name));
    }
    hash.count(parts.stripped.len());
    parts.stripped.iter().for_each(|carrier| hash.text(carrier.as_str()));
    hash.count(parts.guards.len());
    for (class, guard) in &parts.guards {
        let (longest, characters) = guard.parts();
        hash.text(class.as_str());
        hash.number(longest.into());
        hash.number(characters.into());
    }
    hash.0.finalize().into()
}

/// Frames every part by its length, so that no two lists of parts hash alike.
struct Framed(Sha256);

impl Framed {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn row(&mut self, row: &Row) {
        self.text(&row.attribute);
        self.cell(row.server);
        self.cell(row.device);
    }

    fn cell(&mut self, cell: Cell) {
        self.text(cell.class.as_str());
        self.action(cell.action);
    }

    fn action(&mut self, action: Action) {
        match action {
            Action::Absent => self.0.update([0]),
            Action::Hmac(index) => {
                self.0.update([1]);
                self.count(index.position());
            }
            Action::Blind(index) => {
                self.0.update([4]);
                self.count(index.position());
            }
            Action::Truncate { v4, v6 } => self.0.update([2, v4, v6]),
            Action::Raw => self.0.update([3]),
        }
    }

    fn piece(&mut self, piece: &Piece<String>) {
        match piece {
            Piece::Text(text) => {
                self.0.update([0]);
                self.text(text);
            }
            Piece::Slot(attribute) => {
                self.0.update([1]);
                self.text(attribute);
            }
        }
    }
}
