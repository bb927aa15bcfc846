"""Models of any server that speaks OpenAI's chat completions: Ollama, vLLM, llama.cpp, a hosted one."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from local.bedrock.contract import Question, Reply, ServiceError, invalid

_SECONDS = 300.0  # a small machine's model may take this long for one reply
_TOO_MANY, _CLIENT_ERRORS, _SERVER_ERRORS = 429, 400, 500
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "content_filtered"}


@dataclass(frozen=True)
class ForwardedModel:
    """One model of the server.

    Attributes:
        name: As the server calls it.
        base_url: E.g. ``http://127.0.0.1:11434/v1``.
        api_key: Sent as a bearer token; empty for none.
    """

    name: str
    base_url: str
    api_key: str = ""

    def reply(self, question: Question) -> Reply:
        """Ask the server.

        Raises:
            ServiceError: The server refuses, fails, is too slow or is not there.
        """
        answer = self._post(self._request(question))
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
            reason = choice.get("finish_reason") or "stop"
        except (KeyError, IndexError, TypeError) as error:
            raise _model_error(f"{self.base_url} answered no chat completion: {json.dumps(answer)[:200]}") from error
        usage = answer.get("usage") or {}
        return Reply(
            text,
            _STOP_REASONS.get(reason, "end_turn"),
            input_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
        )

    def _request(self, question: Question) -> dict[str, Any]:
        system = [{"role": "system", "content": question.system}] if question.system else []
        turns = question.turns or (("user", question.text),)
        options = {
            "max_tokens": question.max_tokens,
            "temperature": question.temperature,
            "top_p": question.top_p,
            "stop": list(question.stop_sequences) or None,
        }
        return {
            "model": self.name,
            "messages": [*system, *({"role": role, "content": text} for role, text in turns)],
            **{name: value for name, value in options.items() if value is not None},
        }

    def _post(self, document: dict[str, Any]) -> dict[str, Any]:
        key = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        request = urllib.request.Request(  # noqa: S310 - the settings allow http and https alone
            f"{self.base_url}/chat/completions",
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json", **key},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise _refused(error.code, error.read().decode(errors="replace")[:500]) from error
        except TimeoutError as error:
            raise ServiceError("ModelTimeoutException", f"{self.base_url} took longer than {_SECONDS:.0f} s") from error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            raise ServiceError(
                "ServiceUnavailableException",
                f"{self.base_url} cannot be reached ({error}): start the server, or set HALLMARK_OPENAI_BASE_URL",
            ) from error
        except ValueError as error:
            raise _model_error(f"{self.base_url} answered what is not JSON: {error}") from error
        return answer


def _refused(status: int, said: str) -> ServiceError:
    if status == _TOO_MANY:
        return ServiceError("ThrottlingException", f"The model's server has too many requests: {said}")
    if _CLIENT_ERRORS <= status < _SERVER_ERRORS:
        return invalid(f"The model's server refused the request with status {status}: {said}")
    return _model_error(f"The model's server failed with status {status}: {said}")


def _model_error(message: str) -> ServiceError:
    return ServiceError("ModelErrorException", message)
