//! Payment cards: an issuer's prefix, its length, the check digit, and digits in one piece or grouped as on cards.
//!
//! The check digit alone fits every tenth number; with prefix and grouping the ids of a system are rarely taken for one.

/// The shortest card has twelve digits.
pub(super) const SMALLEST: u64 = 100_000_000_000;
pub(super) const SHORTEST: usize = 12;
const LONGEST: usize = 19;
const MOST_GROUPS: usize = 5;
/// How many digits stand together.
const GROUPINGS: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[4, 4, 4]];

/// From and to which prefix of four digits, and how many digits a card of it has at least and at most.
const ISSUERS: [(u16, u16, usize, usize); 22] = [
    (4000, 4999, 13, 19),
    (5100, 5599, 16, 16),
    (2221, 2720, 16, 16),
    (3400, 3499, 15, 15),
    (3700, 3799, 15, 15),
    (6000, 6099, 16, 19),
    (6440, 6599, 16, 19),
    (3528, 3589, 16, 19),
    (3000, 3059, 14, 19),
    (3095, 3095, 14, 19),
    (3600, 3699, 14, 19),
    (3800, 3999, 14, 19),
    (6200, 6299, 16, 19),
    (2200, 2204, 16, 19),
    (5018, 5018, 12, 19),
    (5020, 5020, 12, 19),
    (5038, 5038, 12, 19),
    (5080, 5089, 16, 16),
    (5893, 5893, 12, 19),
    (6304, 6304, 12, 19),
    (6759, 6759, 12, 19),
    (6761, 6763, 12, 19),
];

/// Says whether there is one.
pub(super) fn is_in(text: &[u8]) -> bool {
    let mut groups = Groups::default();
    let mut before = None;
    let mut rest = text;
    while let Some(start) = rest.iter().position(u8::is_ascii_digit) {
        let (between, digits) = rest.split_at_checked(start).unwrap_or_default();
        let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let (group, after) = digits.split_at_checked(length).unwrap_or_default();
        let separator = between.first().filter(|byte| between.len() == 1 && b" -._/".contains(byte));
        if separator.is_none() || separator != before {
            groups.begin_anew(separator.is_some());
        }
        before = separator;
        groups.add(group);
        if is_card(group.iter().copied()) || groups.hold_one() {
            return true;
        }
        rest = after;
    }
    false
}

/// Says whether a number is one.
pub(super) fn is_number(number: u64) -> bool {
    let mut digits = [0; 20];
    let (mut rest, mut first) = (number, digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        (rest, first) = (rest / 10, at);
        if rest == 0 {
            break;
        }
    }
    is_card(digits.into_iter().skip(first))
}

/// The last groups of digits, all parted by the same mark.
#[derive(Default)]
struct Groups<'a> {
    last: [&'a [u8]; MOST_GROUPS],
    count: usize,
}

impl<'a> Groups<'a> {
    /// Another mark may still part the last group from the next.
    fn begin_anew(&mut self, with_last: bool) {
        self.count = self.count.min(usize::from(with_last));
    }

    fn add(&mut self, group: &'a [u8]) {
        self.last.rotate_left(1);
        if let Some(last) = self.last.last_mut() {
            *last = group;
        }
        self.count = MOST_GROUPS.min(self.count + 1);
    }

    fn hold_one(&self) -> bool {
        let fits = |grouping: &&[usize]| {
            let groups = self.last.iter().rev().take(self.count).map(|group| group.len());
            self.count >= grouping.len() && grouping.iter().rev().copied().zip(groups).all(|(one, two)| one == two)
        };
        let digits = |grouping: &[usize]| {
            let groups = self.last.iter().skip(MOST_GROUPS - grouping.len());
            is_card(groups.flat_map(|group| group.iter().copied()))
        };
        GROUPINGS.iter().filter(|grouping| fits(grouping)).any(|grouping| digits(grouping))
    }
}

fn is_card(digits: impl Iterator<Item = u8> + Clone) -> bool {
    let length = digits.clone().take(LONGEST + 1).count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return false;
    }
    let prefix = digits.clone().take(4).fold(0, |prefix, digit| prefix * 10 + u16::from(digit - b'0'));
    let issued = |(from, to, least, most): &(u16, u16, usize, usize)| {
        (*from..=*to).contains(&prefix) && (*least..=*most).contains(&length)
    };
    ISSUERS.iter().any(issued) && checks(digits, length)
}

/// ISO/IEC 7812-1, annex B.
fn checks(digits: impl Iterator<Item = u8>, length: usize) -> bool {
    let weighed = digits.enumerate().map(|(at, digit)| {
        let digit = u32::from(digit - b'0');
        let doubled = (length - at).is_multiple_of(2);
        if doubled { digit * 2 / 10 + digit * 2 % 10 } else { digit }
    });
    weighed.sum::<u32>().is_multiple_of(10)
}
