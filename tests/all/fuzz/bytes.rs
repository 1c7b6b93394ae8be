//! Chance from a seed, and changes of bytes.

/// Chance that can be had again.
pub struct Dice(u64);

impl Dice {
    /// Of this input of this seed.
    pub fn new(seed: u64, input: u64) -> Self {
        let mixed = (seed ^ input.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut dice = Self(mixed ^ input | 1);
        // Neighbours begin alike: shaken a little.
        for _ in 0..4 {
            dice.next();
        }
        dice
    }
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) as usize) % n.max(1)
    }
    /// One of these.
    pub fn one<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
    /// A byte.
    pub fn byte(&mut self) -> u8 {
        (self.next() >> 40) as u8
    }
    /// Some bytes.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.byte()).collect()
    }
}

/// What parsers look for.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-",
    b"1e400",
    b"-0",
    b"0.1e-999999",
    b"99999999999999999999999999999999",
    b",",
    b":",
    b"<",
    b">",
    b"</a>",
    b"<a/>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<!DOCTYPE x [<!ENTITY a \"b\">]>",
    b"&a;",
    b"&#x0;",
    b"&#x110000;",
    b"<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    b"xmlns:x=\"\"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\0",
    b"\r\n",
    b"%",
    b"%00",
    b"%zz",
    b"+",
    b"&",
    b"=",
    b";",
    b"\xf0\x9f\x8e\x81",
    b"\xe2\x80\xae",
    b"\xc0\x80",
    b"..",
    b"/",
    b"9999-12-31T23:59:60Z",
    b"0000-00-00",
    b"sha256=",
    b"AAAA",
    b"====",
    b"::ffff:127.0.0.1",
    b"0x7f.1",
    b"/33",
    b"/-1",
];

/// The bytes, changed in one to six ways; now and then another's instead.
pub fn changed(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.one(corpus).clone();
    for _ in 0..=dice.below(6) {
        change(dice, &mut bytes, corpus);
    }
    bytes.truncate(1 << 20);
    bytes
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + dice.below(64)).min(bytes.len());
    match dice.below(9) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let word = *dice.one(WORDS);
            drop(bytes.splice(at..at, word.iter().copied()));
        }
        3 => {
            let word = *dice.one(WORDS);
            drop(bytes.splice(at..end, word.iter().copied()));
        }
        // Deep, or long.
        4 => {
            let word = dice.one(WORDS).repeat(1 << dice.below(12));
            drop(bytes.splice(at..at, word));
        }
        5 => {
            let part = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, part));
        }
        6 => {
            let other = dice.one(corpus);
            let from = dice.below(other.len() + 1);
            let to = (from + dice.below(200)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        7 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = dice.byte();
            }
        }
    }
}
