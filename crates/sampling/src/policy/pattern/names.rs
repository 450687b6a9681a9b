//! The names of classes.

/// What Go calls categories, without what it overlooks in a name: case, `_`, `-` and spaces.
const CATEGORIES: &str = "\
    c cc cf cn co cs l lc ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s sc sk sm so z zl zp zs \
    casedletter closepunctuation cntrl combiningmark connectorpunctuation control currencysymbol dashpunctuation \
    decimalnumber digit enclosingmark finalpunctuation format initialpunctuation letter letternumber lineseparator \
    lowercaseletter mark mathsymbol modifierletter modifiersymbol nonspacingmark number openpunctuation other \
    otherletter othernumber otherpunctuation othersymbol paragraphseparator privateuse punct punctuation separator \
    spaceseparator spacingmark surrogate symbol titlecaseletter unassigned uppercaseletter";

/// The scripts that Go finds. It overlooks `_` in what is asked for and not in its own names: scripts of two words have none.
const SCRIPTS: &str = "\
    adlam ahom arabic armenian avestan balinese bamum batak bengali bhaiksuki bopomofo brahmi braille buginese buhid \
    carian chakma cham cherokee chorasmian common coptic cuneiform cypriot cyrillic deseret devanagari dogra \
    duployan elbasan elymaic ethiopic georgian glagolitic gothic grantha greek gujarati gurmukhi han hangul hanunoo \
    hatran hebrew hiragana inherited javanese kaithi kannada katakana kawi kharoshthi khmer khojki khudawadi lao \
    latin lepcha limbu lisu lycian lydian mahajani makasar malayalam mandaic manichaean marchen medefaidrin miao \
    modi mongolian mro multani myanmar nabataean nandinagari newa nko nushu ogham oriya osage osmanya palmyrene \
    phoenician rejang runic samaritan saurashtra sharada shavian siddham sinhala sogdian soyombo sundanese syriac \
    tagalog tagbanwa takri tamil tangsa tangut telugu thaana thai tibetan tifinagh tirhuta toto ugaritic vai \
    vithkuqi wancho yezidi yi";

/// The classes of POSIX, as they stand in brackets.
const POSIX: &[(&str, &str)] = &[
    ("alnum", "0-9A-Za-z"),
    ("alpha", "A-Za-z"),
    ("ascii", r"\x00-\x7f"),
    ("blank", r"\t "),
    ("cntrl", r"\x00-\x1f\x7f"),
    ("digit", "0-9"),
    ("graph", "!-~"),
    ("lower", "a-z"),
    ("print", " -~"),
    ("punct", r"!-/:-@\[-`\{-~"),
    ("space", r"\t-\r "),
    ("upper", "A-Z"),
    ("word", "0-9A-Za-z_"),
    ("xdigit", "0-9A-Fa-f"),
];

/// What is in a class of POSIX.
pub(super) fn posix(name: &str) -> Option<&'static str> {
    POSIX.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}

/// Whether the members of a class are meant or all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Members,
    Others,
}

impl Of {
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Members => Self::Others,
            Self::Others => Self::Members,
        }
    }
}

/// The class of a category or a script, or of all else.
pub(super) fn unicode(name: &str, of: Of) -> Option<String> {
    let name: String = name.chars().filter(|char| !matches!(char, '_' | '-' | ' ')).collect();
    let name = name.to_ascii_lowercase();
    let (sign, negation, opposite) = match of {
        Of::Members => ('p', "", 'P'),
        Of::Others => ('P', "^", 'p'),
    };
    match name.as_str() {
        "any" => Some(format!("\\{sign}{{any}}")),
        "ascii" => Some(format!("[{negation}\\x00-\\x7f]")),
        "assigned" => Some(format!("\\{opposite}{{gc=cn}}")),
        // Texts hold none.
        "cs" | "surrogate" => Some(format!("\\{opposite}{{any}}")),
        category if is_among(category, CATEGORIES) => Some(format!("\\{sign}{{gc={category}}}")),
        script if is_among(script, SCRIPTS) => Some(format!("\\{sign}{{sc={script}}}")),
        _ => None,
    }
}

fn is_among(name: &str, names: &str) -> bool {
    names.split(' ').any(|known| known == name)
}
