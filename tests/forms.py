"""A browser without scripts, for tests: it reads a page's text, links and forms, fills them in and sends them."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

_VOID = frozenset({"input", "meta", "link", "br", "hr", "img", "path", "rect"})


class Element:
    """One element with its attributes, children and text."""

    def __init__(self, tag, attributes, parent=None):
        self.tag, self.attributes, self.parent, self.children = tag, attributes, parent, []

    def __getitem__(self, name):
        return self.attributes[name]

    def get(self, name, default=None):
        return self.attributes.get(name, default)

    @property
    def text(self):
        """All text inside, its white space made one space."""
        return " ".join("".join(self._texts()).split())

    @property
    def raw(self):
        return "".join(self._texts())

    def _texts(self):
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()
                if child.tag in {"p", "span", "li", "td", "th", "dt", "dd", "h1", "h2", "h3", "label", "option", "a"}:
                    yield " "

    def all(self, tag=None, **wanted):
        """Every element inside with that tag and those attributes (``class_`` is one of its classes)."""
        for child in self.children:
            if isinstance(child, str):
                continue
            if (tag is None or child.tag == tag) and child.has(**wanted):
                yield child
            yield from child.all(tag, **wanted)

    def one(self, tag=None, **wanted):
        found = list(self.all(tag, **wanted))
        assert len(found) == 1, f"{len(found)} of {tag} {wanted} in {self.text[:400]}"
        return found[0]

    def has(self, **wanted):
        classes = (self.get("class") or "").split()
        return all(
            value in classes if name == "class_" else self.get(name.replace("_", "-")) == value
            for name, value in wanted.items()
        )


class _Tree(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.at = Element("", {})

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value if value is not None else "" for name, value in attrs}, self.at)
        self.at.children.append(element)
        if tag not in _VOID:
            self.at = element

    def handle_startendtag(self, tag, attrs):
        self.at.children.append(Element(tag, dict(attrs), self.at))

    def handle_endtag(self, tag):
        if tag in _VOID:
            return
        assert self.at.tag == tag, f"<{self.at.tag}> is closed by </{tag}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)


class Shown:
    """A page: its response, and the tree of its elements."""

    def __init__(self, response):
        self.response, self.status, self.url = response, response.status_code, str(response.url)
        tree = _Tree()
        tree.feed(response.text)
        assert tree.at is tree.root, f"<{tree.at.tag}> stays open"
        self.tree = tree.root

    @property
    def text(self):
        return self.tree.one("main").text

    def link(self, text):
        """Where the link with that text leads."""
        found = [link["href"] for link in self.tree.all("a") if link.text == text]
        assert found, f"no link {text!r} in {[link.text for link in self.tree.all('a')]}"
        return urljoin(self.url, found[0])

    def form(self, class_):
        return Form(self.tree.one("form", class_=class_))

    def rows(self):
        """The texts of a table, row by row."""
        return [[cell.text for cell in row.all("td")] for row in self.tree.one("tbody").all("tr")]


class Form:
    """A form as it stands: ``fields`` are pairs that can be changed before they are sent."""

    def __init__(self, element):
        self.element = element
        self.action, self.method = element["action"], element["method"]
        self.fields = list(self._pairs())

    def _pairs(self):
        for each in self.element.all():
            if each.tag == "input" and each.get("name"):
                if each.get("type") != "checkbox":
                    yield each["name"], each.get("value", "")
                elif "checked" in each.attributes:
                    yield each["name"], each["value"]
            elif each.tag == "textarea":
                yield each["name"], each.raw.removeprefix("\n")
            elif each.tag == "select":
                options = list(each.all("option"))
                chosen = [option for option in options if "selected" in option.attributes] or options[:1]
                yield from ((each["name"], option["value"]) for option in chosen)

    def names(self):
        return {
            each["name"]
            for tag in ("input", "textarea", "select")
            for each in self.element.all(tag)
            if each.get("name")
        }

    def fill(self, **values):
        """Put values in the place of those of these names; a list gives several (``__`` stands for a dot)."""
        for written, value in values.items():
            name = written.replace("__", ".")
            assert name in self.names(), f"no field {name} in {sorted(self.names())}"
            texts = value if isinstance(value, list) else [value]
            self.fields = [pair for pair in self.fields if pair[0] != name] + [(name, text) for text in texts]
        return self

    def press(self, name, value):
        """Send it with a button that has a name and a value."""
        assert any(each.has(name=name, value=value) for each in self.element.all("button")), f"no button {value}"
        self.fields.append((name, value))
        return self


class Browser:
    """Goes to pages, follows links and redirects, keeps cookies: what a person does without scripts."""

    def __init__(self, client):
        self.client = client

    async def open(self, url, **headers):
        return Shown(await self.client.get(url, headers=headers, follow_redirects=True))

    async def send(self, form, **headers):
        if form.method == "get":
            response = await self.client.get(form.action, params=form.fields, headers=headers, follow_redirects=True)
            return Shown(response)
        response = await self.post(form, **headers)
        if response.status_code == 303:
            return await self.open(response.headers["location"], **headers)
        return Shown(response)

    async def post(self, form, **headers):
        from urllib.parse import urlencode

        told = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self.client.post(form.action, content=urlencode(form.fields), headers=told)
