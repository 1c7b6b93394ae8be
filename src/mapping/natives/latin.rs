//! Greek, Cyrillic and accented Latin in ASCII, for carriers that print nothing else.
//!
//! Greek follows ELOT 743 (ου → ou, αυ → av or af, γγ → ng, μπ → b at a word's start); Cyrillic covers Russian, Bulgarian, Ukrainian,
//! Belarusian, Serbian and Macedonian letters in the common carrier spelling. Capitals stay capitals (`Щ` → `Sht`… `SHT` in a capital word).

/// The text in ASCII. Characters without an ASCII form are dropped; ASCII is untouched.
pub(super) fn to_ascii(text: &str) -> String {
    let letters: Vec<char> = text.chars().filter(|c| !is_combining(*c)).collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let previous = at
            .checked_sub(1)
            .and_then(|before| letters.get(before))
            .copied();
        let next = letters.get(at + 1).copied();
        let (latin, used) = greek_pair(previous, letter, next, letters.get(at + 2).copied())
            .map_or_else(|| (single(letter), 1), |pair| (pair, 2));
        push_in_case(&mut out, latin, letter, next);
        at += used;
    }
    out
}

/// Appends the lower-case spelling in the case of the letter it stands for.
fn push_in_case(out: &mut String, latin: Spelling, letter: char, next: Option<char>) {
    let text = match latin {
        Spelling::Same(character) => return out.push(character),
        Spelling::As(text) => text,
    };
    if !letter.is_uppercase() {
        return out.push_str(text);
    }
    if next.is_some_and(char::is_uppercase) {
        return out.push_str(&text.to_ascii_uppercase());
    }
    let mut characters = text.chars();
    out.extend(characters.next().map(|first| first.to_ascii_uppercase()));
    out.push_str(characters.as_str());
}

enum Spelling {
    /// The character itself.
    Same(char),
    /// ASCII text in lower case; may be empty.
    As(&'static str),
}

fn is_combining(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36f)
}

/// Greek letters that are spelled as a pair.
fn greek_pair(
    previous: Option<char>,
    letter: char,
    next: Option<char>,
    after: Option<char>,
) -> Option<Spelling> {
    let lower = |c: char| plain_greek(c.to_lowercase().next().unwrap_or(c));
    // A dialytika or an accent on the first letter (άυ) splits the pair.
    let first = letter.to_lowercase().next()?;
    let second = next?.to_lowercase().next()?;
    let voiceless = || after.is_none_or(|c| !c.is_alphabetic() || "θκξπστφχψς".contains(lower(c)));
    let starts_word = previous.is_none_or(|c| !c.is_alphabetic());
    Some(Spelling::As(match (first, second) {
        ('ο', 'υ' | 'ύ') => "ou",
        ('α', 'υ' | 'ύ') => {
            if voiceless() {
                "af"
            } else {
                "av"
            }
        }
        ('ε', 'υ' | 'ύ') => {
            if voiceless() {
                "ef"
            } else {
                "ev"
            }
        }
        ('η', 'υ' | 'ύ') => {
            if voiceless() {
                "if"
            } else {
                "iv"
            }
        }
        ('γ', 'γ') => "ng",
        ('γ', 'ξ') => "nx",
        ('γ', 'χ') => "nch",
        ('μ', 'π') if starts_word => "b",
        _ => return None,
    }))
}

/// Greek lower-case letters without accents.
fn plain_greek(letter: char) -> char {
    match letter {
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        other => other,
    }
}

fn single(letter: char) -> Spelling {
    if letter.is_ascii() {
        return Spelling::Same(letter);
    }
    let lower = plain_greek(letter.to_lowercase().next().unwrap_or(letter));
    Spelling::As(
        greek(lower)
            .or_else(|| cyrillic(lower))
            .or_else(|| latin(lower))
            .unwrap_or_else(|| sign(letter)),
    )
}

fn greek(letter: char) -> Option<&'static str> {
    Some(match letter {
        'α' => "a",
        'β' => "v",
        'γ' => "g",
        'δ' => "d",
        'ε' => "e",
        'ζ' => "z",
        'η' | 'ι' => "i",
        'θ' => "th",
        'κ' => "k",
        'λ' => "l",
        'μ' => "m",
        'ν' => "n",
        'ξ' => "x",
        'ο' | 'ω' => "o",
        'π' => "p",
        'ρ' => "r",
        'σ' | 'ς' => "s",
        'τ' => "t",
        'υ' => "y",
        'φ' => "f",
        'χ' => "ch",
        'ψ' => "ps",
        _ => return None,
    })
}

fn cyrillic(letter: char) -> Option<&'static str> {
    Some(match letter {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' | 'ґ' => "g",
        'д' => "d",
        'е' | 'э' | 'ё' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' | 'і' => "i",
        'й' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' | 'ў' => "u",
        'ф' => "f",
        'х' => "h",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "sht",
        'ъ' => "a",
        'ы' => "y",
        'ь' => "",
        'ю' => "yu",
        'я' => "ya",
        'є' => "ye",
        'ї' => "yi",
        'ђ' => "dj",
        'ј' => "j",
        'љ' => "lj",
        'њ' => "nj",
        'ћ' => "c",
        'џ' => "dz",
        'ѓ' => "gj",
        'ќ' => "kj",
        'ѕ' => "dz",
        _ => return None,
    })
}

fn latin(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'þ' => "th",
        _ => return None,
    })
}

/// Signs with an obvious ASCII form.
fn sign(character: char) -> &'static str {
    match character {
        '‘' | '’' | '‚' | '´' | 'ʼ' | '΄' => "'",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '–' | '—' | '‐' | '‑' | '−' => "-",
        '…' => "...",
        '№' => "No",
        '€' => "EUR",
        '·' | '•' => ".",
        'º' | '°' => "o",
        'ª' => "a",
        '\u{a0}' | '\u{202f}' | '\u{2009}' => " ",
        _ => "",
    }
}
