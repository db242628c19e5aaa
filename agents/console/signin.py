"""The sign-in page, and the requests that begin and end a session.

Owns: that page's words, and its cookies. Must never: say why a token is wrong, or send anybody anywhere but to the console.
"""

from __future__ import annotations

import html
import math
from string import Template

import orjson
from aiohttp import web

from agents.console.doors import COOKIE, FORM_COOKIE, FORM_SECONDS, SESSION_SECONDS, Doors, Visitor

PATH = "/sign-in"
MAX_FIELDS = 4096
"""Bytes of a filled-in form."""
WORDS = {
    "en": {
        "title": "Sign in",
        "why": "This console shows what customers wrote. Sign in with the token that its operator gave you.",
        "token": "Token",
        "enter": "Sign in",
        "wrong": "This token is not right.",
        "unreadable": "The form could not be read. Please try again.",
        "stale": "The page was open for too long. Please try again.",
        "wait": "Too many wrong tries. Please wait {0} seconds.",
        "other": "fr",
        "switch": "Français",
    },
    "fr": {
        "title": "Se connecter",
        "why": "Cette console montre ce que des clients ont écrit. Connectez-vous avec le jeton que son exploitant vous a donné.",
        "token": "Jeton",
        "enter": "Se connecter",
        "wrong": "Ce jeton n'est pas le bon.",
        "unreadable": "Le formulaire n'a pas pu être lu. Veuillez réessayer.",
        "stale": "La page est restée ouverte trop longtemps. Veuillez réessayer.",
        "wait": "Trop d'essais erronés. Veuillez attendre {0} secondes.",
        "other": "en",
        "switch": "English",
    },
}


class SignIn:
    """The handlers.

    Args:
        page: `static/signin.html`.
    """

    def __init__(self, doors: Doors, page: bytes) -> None:
        self._doors = doors
        self._page = Template(page.decode())

    def routes(self) -> list[web.RouteDef]:
        """What the console serves of it."""
        routes = [web.get("/api/me", self._me)]
        if self._doors.signs_in:
            routes += [web.get(PATH, self._show), web.post(PATH, self._enter), web.post("/api/sign-out", self._leave)]
        return routes

    async def _me(self, request: web.Request) -> web.Response:
        visitor = self._doors.visitor(request) or Visitor(None, "open")
        told = {"name": visitor.name, "signs_out": visitor.by == "session"}
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    async def _show(self, request: web.Request) -> web.Response:
        if self._doors.visitor(request) is not None:
            raise web.HTTPSeeOther("/")
        return self._answer(request)

    async def _enter(self, request: web.Request) -> web.Response:
        try:
            fields = await request.post()
        except (UnicodeDecodeError, LookupError):
            return self._answer(request, 400, "unreadable")
        form, token = fields.get("form"), fields.get("token")
        if not isinstance(form, str) or not self._doors.is_form(request.cookies.get(FORM_COOKIE, ""), form):
            return self._answer(request, 403, "stale")
        wait = self._doors.must_wait(request)
        if not wait and isinstance(token, str) and self._doors.signs(request, token):
            response = web.Response(status=303, headers={"Location": "/"})
            self._set(request, response, COOKIE, self._doors.begin(), SESSION_SECONDS)
            response.del_cookie(FORM_COOKIE, path=PATH)
            return response
        wait = wait or self._doors.must_wait(request)
        if wait:
            response = self._answer(request, 429, "wait", str(math.ceil(wait)))
            response.headers["Retry-After"] = str(math.ceil(wait))
            return response
        return self._answer(request, 401, "wrong")

    async def _leave(self, request: web.Request) -> web.Response:
        self._doors.end(request)
        response = web.Response(body=b"{}", content_type="application/json")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=self._doors.secure(request))
        return response

    def _answer(self, request: web.Request, status: int = 200, fault: str = "", filling: str = "") -> web.Response:
        language = request.query.get("lang", "")
        if language not in WORDS:
            language = preferred(request.headers.get("Accept-Language", ""))
        words = WORDS[language]
        form = self._doors.form()
        told = words[fault].replace("{0}", filling) if fault else ""
        filled = {**words, "language": language, "form": form, "fault": told}
        body = self._page.substitute({name: html.escape(text) for name, text in filled.items()})
        response = web.Response(text=body, status=status, content_type="text/html", headers={"Vary": "Accept-Language"})
        response.headers["Cache-Control"] = "no-store"
        self._set(request, response, FORM_COOKIE, form, FORM_SECONDS, PATH)
        return response

    def _set(
        self, request: web.Request, response: web.Response, name: str, value: str, seconds: int, path: str = "/"
    ) -> None:
        secure = self._doors.secure(request)
        response.set_cookie(name, value, max_age=seconds, path=path, httponly=True, samesite="Strict", secure=secure)


def preferred(accept: str) -> str:
    """The language of a page by an Accept-Language header; English where it names neither."""
    best, weight = next(iter(WORDS)), 0.0
    for part in accept[:1000].split(","):
        tag, _, quality = part.strip().partition(";")
        try:
            wanted = float(quality.strip().removeprefix("q=") or 1.0)
        except ValueError:
            continue
        language = tag.split("-")[0].lower()
        if language in WORDS and wanted > weight:
            best, weight = language, wanted
    return best
