//! Strict XML: `{root: …}` where an element with only text is a string, an attribute is `@name`, text beside children or
//! attributes is `#text`, and an element that repeats becomes an array.
//!
//! Names lose their namespace prefix; `xmlns` declarations are dropped. Text is trimmed, CDATA is not. An empty element is `""`.
//! DOCTYPE is refused, a tag within `<? ?>` too, and so is every entity but the five of XML and character references: nothing can expand.

use super::{DEPTH_CAP, Limits, ReadError, utf8};
use crate::mapping::{Val, value};
use jaq_json::{Map, Rc};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape::resolve_xml_entity};

/// Reads exactly one XML document. The declaration's encoding is ignored: decode with [`super::charset`] first where needed.
pub fn xml(body: &[u8], limits: &Limits) -> Result<Val, ReadError> {
    let text = utf8("xml", body, limits)?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut tree = Tree {
        open: Vec::new(),
        root: None,
        depth: limits.max_depth.min(DEPTH_CAP),
    };
    loop {
        let event = reader
            .read_event()
            .map_err(|error| at(body, &reader, error.to_string()))?;
        if matches!(event, Event::Eof) {
            break;
        }
        tree.take(event)
            .map_err(|message| at(body, &reader, message))?;
    }
    match (tree.open.is_empty(), tree.root) {
        (true, Some((name, content))) => Ok(value::object([(value::string(name), content)])),
        (true, None) => Err(ReadError::new("xml", "no element found")),
        (false, _) => Err(at(
            body,
            &reader,
            "document ends inside an element".to_owned(),
        )),
    }
}

fn at(body: &[u8], reader: &Reader<&[u8]>, message: String) -> ReadError {
    let offset =
        usize::try_from(reader.error_position().max(reader.buffer_position())).unwrap_or(0);
    // The parser's own texts quote names from the payload: keep the sentence, drop the quotation.
    let message = message
        .split(['`', '\''])
        .next()
        .unwrap_or("malformed")
        .trim_end()
        .to_owned();
    ReadError::at(
        "xml",
        body,
        offset,
        if message.is_empty() {
            "malformed".to_owned()
        } else {
            message
        },
    )
}

const SWALLOWS: &str = "a declaration or an instruction holds a tag";

/// An element whose end was not seen yet.
struct Open {
    name: String,
    members: Map,
    text: String,
    /// How much of `text` (from its start) came from CDATA or references and must not be trimmed away.
    kept: usize,
}

struct Tree {
    open: Vec<Open>,
    root: Option<(String, Val)>,
    depth: usize,
}

impl Tree {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => {
                self.start(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content(), false),
            Event::CData(text) => self.text(&text.xml10_content(), true),
            Event::GeneralRef(reference) => self.reference(&reference),
            Event::DocType(_) => Err("DOCTYPE is not accepted".to_owned()),
            // One that was not closed would swallow whatever comes up to the next `?>`.
            Event::Decl(text) if text.contains('<') => Err(SWALLOWS.to_owned()),
            Event::PI(text) if text.contains('<') => Err(SWALLOWS.to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= self.depth {
            return Err("nesting too deep".to_owned());
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err("more than one root element".to_owned());
        }
        let mut members = Map::default();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let full: &str = attribute.key.as_ref();
            if full == "xmlns" || full.starts_with("xmlns:") {
                continue;
            }
            let content = attribute
                .normalized_value_with(XmlVersion::Implicit1_0, 1, resolve_xml_entity)
                .map_err(|_| "an attribute holds an unknown entity or is malformed".to_owned())?;
            let name = local(full);
            members.insert(value::string(format!("@{name}")), value::text(&content));
        }
        let name = local(start.name().as_ref()).to_owned();
        self.open.push(Open {
            name,
            members,
            text: String::new(),
            kept: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let element = self.open.pop().ok_or("an element ends that never began")?;
        let Open {
            name,
            mut members,
            text,
            kept,
        } = element;
        let text = trimmed(&text, kept);
        let content = if members.is_empty() {
            value::text(text)
        } else {
            if !text.is_empty() {
                members.insert(value::text("#text"), value::text(text));
            }
            Val::obj(members)
        };
        match self.open.last_mut() {
            Some(parent) => insert(&mut parent.members, value::string(name), content),
            None => self.root = Some((name, content)),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, keep: bool) -> Result<(), String> {
        let Some(element) = self.open.last_mut() else {
            return if text.trim().is_empty() && !keep {
                Ok(())
            } else {
                Err("text outside the root element".to_owned())
            };
        };
        // White space in front of the first real text (indentation) goes; behind it, it is trimmed at the element's end.
        let text = if element.text.is_empty() && !keep {
            text.trim_start()
        } else {
            text
        };
        element.text.push_str(text);
        if keep {
            element.kept = element.text.len();
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        if let Some(character) = reference
            .resolve_char_ref()
            .map_err(|_| "malformed character reference".to_owned())?
        {
            return self.text(character.encode_utf8(&mut [0; 4]), true);
        }
        let name = reference.xml10_content();
        let known = resolve_xml_entity(&name).ok_or("unknown entity")?;
        self.text(known, true)
    }
}

/// The text without white space at its end, but never shorter than what CDATA or references gave.
fn trimmed(text: &str, kept: usize) -> &str {
    let end = text.trim_end().len().max(kept);
    text.get(..end).unwrap_or(text)
}

fn insert(members: &mut Map, name: Val, content: Val) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, content);
        }
        Some(Val::Arr(items)) => Rc::make_mut(items).push(content),
        Some(first) => *first = value::array(vec![std::mem::take(first), content]),
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}
