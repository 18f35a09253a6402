//! XML writer.

/// Text of XML being written.
#[derive(Debug, Default)]
pub struct Xml {
    /// What was written so far.
    pub text: String,
}

impl Xml {
    /// Writes as it is.
    pub fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// `<name>`
    pub fn open(&mut self, name: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
    }

    /// `</name>`
    pub fn close(&mut self, name: &str) {
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// `<name>content</name>`, escaped; `<name/>` when it is empty.
    pub fn element(&mut self, name: &str, content: &str) {
        if content.is_empty() {
            self.raw("<");
            self.raw(name);
            self.raw("/>");
            return;
        }
        self.open(name);
        self.content(content);
        self.close(name);
    }

    /// Like [`Self::element`], but in a CDATA section where every encoding could
    /// hold it: inside of one, no character can be written as `&#…;`.
    pub fn cdata(&mut self, name: &str, content: &str) {
        let fits = content.chars().all(|letter| u32::from(letter) < 0x100);
        if !fits || content.contains("]]>") {
            self.element(name, content);
            return;
        }
        self.open(name);
        self.raw("<![CDATA[");
        self.raw(content);
        self.raw("]]>");
        self.close(name);
    }

    /// ` name="value"`, escaped.
    pub fn attribute(&mut self, name: &str, value: &str) {
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        self.content(value);
        self.raw("\"");
    }

    /// Text, escaped so that it is right in attributes too.
    pub fn content(&mut self, content: &str) {
        for letter in content.chars() {
            match letter {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                letter => self.text.push(letter),
            }
        }
    }
}
