//! Walking a list page by page. Pure.
//!
//! What always holds: a walk ends: at the list's end, at the page limit (then more is left), or
//! with a fault when the provider serves the same page or cursor again.

use super::client::Answer;
use super::provider::page;
use super::request::Turn;
use super::value::as_str;
use crate::manifest::model::Pagination;
use bytes::Bytes;
use jaq_json::Val;
use reqwest::header::{HeaderMap, LINK};
use std::collections::BTreeSet;
use url::Url;

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// That was all.
    End,
    /// There may be more, but so many pages are enough for one run.
    Limit,
    /// Another page.
    More,
    /// The list does not end by itself: a stable code.
    Fault(&'static str),
}

/// What was just read.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// Where it came from.
    pub url: &'a Url,
    /// How many records it has.
    pub items: usize,
    /// What the rule's `next` expression yields; null for other kinds.
    pub cursor: &'a Val,
}

/// A walk.
pub struct Pager<'a> {
    rule: &'a Pagination,
    fetched: u64,
    number: u64,
    cursor: Option<Val>,
    target: Option<String>,
    previous: Bytes,
    seen: BTreeSet<String>,
}

impl<'a> Pager<'a> {
    /// A walk from the first page.
    pub fn new(rule: &'a Pagination) -> Self {
        let number = if let Pagination::Page { first, .. } = rule {
            *first
        } else {
            1
        };
        Self {
            rule,
            fetched: 0,
            number,
            cursor: None,
            target: None,
            previous: Bytes::new(),
            seen: BTreeSet::new(),
        }
    }

    /// `.page` of the next request.
    pub fn context(&self) -> Val {
        page(self.number, self.cursor.as_ref())
    }

    /// Pages read so far.
    pub const fn fetched(&self) -> u64 {
        self.fetched
    }

    /// What the next request carries beside the step's own words.
    pub fn turn(&self) -> Turn {
        let param = match self.rule {
            Pagination::Page { param, .. } => Some((param.clone(), self.number.to_string())),
            _ => None,
        };
        Turn {
            target: self.target.clone(),
            param,
        }
    }

    /// Takes note of a page and says what comes next.
    pub fn advance(&mut self, read: Read<'_>) -> Next {
        self.fetched += 1;
        let (next, limit) = match self.rule {
            Pagination::None => return Next::End,
            Pagination::Page {
                size,
                total_pages_header,
                limit,
                ..
            } => (
                self.by_number(&read, *size, total_pages_header.as_deref()),
                *limit,
            ),
            Pagination::LinkHeader { limit } => (self.by_link(&read), *limit),
            Pagination::Cursor { limit, .. } => (self.by_cursor(&read), *limit),
        };
        if next == Next::More && self.fetched >= limit {
            Next::Limit
        } else {
            next
        }
    }

    fn by_number(&mut self, read: &Read<'_>, size: u64, total_header: Option<&str>) -> Next {
        let items = u64::try_from(read.items).unwrap_or(u64::MAX);
        let total = total_header.and_then(|name| {
            read.answer
                .headers
                .get(name)?
                .to_str()
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        });
        // A short page is no end where the provider tells the number of pages: some hide records.
        let ended = match total {
            Some(total) => self.fetched >= total,
            None => items < size,
        };
        if items == 0 || ended {
            return Next::End;
        }
        if read.answer.body == self.previous {
            return Next::Fault("page_repeated");
        }
        self.previous = read.answer.body.clone();
        self.number += 1;
        Next::More
    }

    fn by_link(&mut self, read: &Read<'_>) -> Next {
        let Some(link) = next_link(&read.answer.headers) else {
            return Next::End;
        };
        let Ok(target) = read.url.join(&link) else {
            return Next::Fault("link_malformed");
        };
        self.seen.insert(read.url.to_string());
        if !self.seen.insert(target.to_string()) {
            return Next::Fault("page_repeated");
        }
        self.target = Some(target.into());
        self.number += 1;
        Next::More
    }

    fn by_cursor(&mut self, read: &Read<'_>) -> Next {
        let none = matches!(read.cursor, Val::Null | Val::Bool(false))
            || as_str(read.cursor).is_some_and(str::is_empty);
        if none {
            return Next::End;
        }
        if !self.seen.insert(read.cursor.to_string()) {
            return Next::Fault("cursor_repeated");
        }
        self.cursor = Some(read.cursor.clone());
        self.number += 1;
        Next::More
    }
}

/// The target of `rel="next"` in `Link` headers (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|text| {
            let mut rest = text;
            while let Some((target, tail)) = rest
                .split_once('<')
                .and_then(|(_, tail)| tail.split_once('>'))
            {
                // Parameters go on to the next target.
                let params = tail.split('<').next().unwrap_or(tail);
                if params.split([';', ',']).any(is_next) {
                    return Some(target.to_owned());
                }
                rest = tail;
            }
            None
        })
}

fn is_next(param: &str) -> bool {
    let Some((name, value)) = param.split_once('=') else {
        return false;
    };
    let mut relations = value.trim().trim_matches('"').split_whitespace();
    name.trim().eq_ignore_ascii_case("rel")
        && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::operation::value::text;
    use reqwest::header::{HeaderName, HeaderValue};

    fn answer(headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers.iter().map(|(n, v)| {
            (
                HeaderName::from_static(n),
                HeaderValue::from_str(v).unwrap(),
            )
        });
        Answer {
            status: 200,
            headers: headers.collect(),
            body: Bytes::from(body.to_owned()),
        }
    }

    fn step(pager: &mut Pager<'_>, answer: &Answer, items: usize, cursor: Val) -> Next {
        let url = Url::parse("https://a.example/orders?page=1").unwrap();
        pager.advance(Read {
            answer,
            url: &url,
            items,
            cursor: &cursor,
        })
    }

    #[test]
    fn pages_by_number_end_when_short_empty_or_told() {
        let rule = |header: Option<&str>| Pagination::Page {
            param: "page".into(),
            first: 1,
            size: 2,
            total_pages_header: header.map(Into::into),
            limit: 3,
        };
        let plain = rule(None);
        let mut pager = Pager::new(&plain);
        assert_eq!(pager.turn().param, Some(("page".into(), "1".into())));
        assert_eq!(
            step(&mut pager, &answer(&[], "a"), 2, Val::Null),
            Next::More
        );
        assert_eq!(pager.turn().param, Some(("page".into(), "2".into())));
        assert_eq!(step(&mut pager, &answer(&[], "b"), 1, Val::Null), Next::End);
        let mut pager = Pager::new(&plain);
        assert_eq!(
            step(&mut pager, &answer(&[], "a"), 2, Val::Null),
            Next::More
        );
        assert_eq!(
            step(&mut pager, &answer(&[], "a"), 2, Val::Null),
            Next::Fault("page_repeated")
        );
        let mut pager = Pager::new(&plain);
        for (body, next) in [("a", Next::More), ("b", Next::More), ("c", Next::Limit)] {
            assert_eq!(step(&mut pager, &answer(&[], body), 2, Val::Null), next);
        }
        let told = rule(Some("x-pages"));
        let mut pager = Pager::new(&told);
        assert_eq!(
            step(&mut pager, &answer(&[("x-pages", "2")], "a"), 1, Val::Null),
            Next::More
        );
        assert_eq!(
            step(&mut pager, &answer(&[("x-pages", "2")], "b"), 2, Val::Null),
            Next::End
        );
    }

    #[test]
    fn links_are_followed_until_there_is_none() {
        let rule = Pagination::LinkHeader { limit: 10 };
        let mut pager = Pager::new(&rule);
        let links = "<https://a.example/o?page=9>; rel=\"last\", </o?page=2,x>; title=\"a, b\"; rel=\"prev next\"";
        assert_eq!(
            step(&mut pager, &answer(&[("link", links)], ""), 1, Val::Null),
            Next::More
        );
        assert_eq!(
            pager.turn().target.as_deref(),
            Some("https://a.example/o?page=2,x")
        );
        assert_eq!(
            step(&mut pager, &answer(&[("link", links)], ""), 1, Val::Null),
            Next::Fault("page_repeated")
        );
        assert_eq!(
            step(
                &mut pager,
                &answer(&[("link", "<x>; rel=prev")], ""),
                1,
                Val::Null
            ),
            Next::End
        );
        assert_eq!(step(&mut pager, &answer(&[], ""), 1, Val::Null), Next::End);
    }

    #[test]
    fn cursors_lead_on_until_null_and_never_in_a_circle() {
        let rule = Pagination::Cursor {
            next: ".next".into(),
            limit: 10,
        };
        let mut pager = Pager::new(&rule);
        assert_eq!(step(&mut pager, &answer(&[], ""), 1, text("b")), Next::More);
        assert_eq!(pager.context().to_string(), r#"{"number":2,"cursor":"b"}"#);
        assert_eq!(step(&mut pager, &answer(&[], ""), 1, text("c")), Next::More);
        assert_eq!(
            step(&mut pager, &answer(&[], ""), 1, text("b")),
            Next::Fault("cursor_repeated")
        );
        for end in [Val::Null, Val::Bool(false), text("")] {
            assert_eq!(step(&mut pager, &answer(&[], ""), 1, end), Next::End);
        }
    }
}
