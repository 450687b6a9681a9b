//! Bank accounts: an IBAN of its country's length with right check digits, in one piece or in groups of four.

const LONGEST: usize = 34;
const GROUP: usize = 4;
/// Letters may stand in many of them; none that banks give out has fewer digits.
pub(super) const FEWEST_DIGITS: usize = 8;

/// Countries with the length of their account numbers, as registered under ISO 13616.
const COUNTRIES: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29\
ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25\
MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25\
SV28TL23TN24TR26UA29VA22VG24XK20YE30";

/// Says whether a text begins with one. Looks at no more of it than the longest number and its separators.
#[inline]
pub(super) fn begins(text: &[u8]) -> bool {
    let head = text.first_chunk::<GROUP>();
    head.is_some_and(|[one, two, check @ ..]| check.iter().all(u8::is_ascii_digit) && is_one([*one, *two], text))
}

fn is_one([one, two]: [u8; 2], text: &[u8]) -> bool {
    let country = [one.to_ascii_uppercase(), two.to_ascii_uppercase()];
    let (entries, _) = COUNTRIES.as_chunks::<4>();
    let Some([_, _, ten, unit]) = entries.iter().find(|entry| entry.starts_with(&country)) else { return false };
    let length = usize::from((ten - b'0') * 10 + unit - b'0');
    let (mut number, mut count) = ([0; LONGEST], 0);
    let mut bytes = text.iter().copied().peekable();
    for place in number.iter_mut().take(length) {
        if count > 0 && count % GROUP == 0 {
            bytes.next_if(|byte| matches!(byte, b' ' | b'-' | b'.'));
        }
        let Some(byte) = bytes.next_if(u8::is_ascii_alphanumeric) else { return false };
        *place = byte.to_ascii_uppercase();
        count += 1;
    }
    bytes.peek().is_none_or(|byte| !byte.is_ascii_alphanumeric()) && checks(number.get(..length).unwrap_or_default())
}

/// ISO 7064, MOD 97-10, with the first four characters behind the rest.
fn checks(number: &[u8]) -> bool {
    let (front, rest) = number.split_at_checked(GROUP).unwrap_or_default();
    let remainder = rest.iter().chain(front).fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}
