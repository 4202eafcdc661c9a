"""Makes a request ready for the scheduler: renders, tokenizes, merges sampling values, parses the grammar.

All of it may take long, so it runs on a thread of its own and not in the decode loop.
"""

from __future__ import annotations

from workbench.core.errors import BadInput
from workbench.core.events import Notice, RunDetails
from workbench.core.requests import ChatRequest, ResponseFormat, Sampling
from workbench.engine.child import grammar, sampling
from workbench.engine.child.llama import build
from workbench.engine.child.loader import Model
from workbench.engine.child.prompt import PromptMaker, ignored_attachments
from workbench.engine.child.sequence import Sequence
from workbench.engine.generic_tools import answer_schema
from workbench.engine.protocol import Generate


class Preparer:
    """For one loaded model. Thread-safe."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._build = build()
        self.prompts = PromptMaker(model)

    def sequence(self, command: Generate) -> Sequence:
        """Raises WorkbenchError with the reason why the request can't be answered as asked."""
        model, request = self._model, command.request
        if model.context is None:
            raise BadInput(f"{model.path.name} makes embeddings, not text.", hint="Choose another model to chat with.")
        if not request.messages:
            raise BadInput("The request has no messages.")
        values = sampling.effective(request.sampling, model.info.default_sampling)
        gbnf, unchecked = grammar.gbnf_of(request.response_format)
        prompt = self.prompts.make(request)
        if prompt.explains_tools:
            gbnf, unchecked = _grammar_of_tools(request)
        bound = grammar.Grammar(gbnf, model.vocab) if gbnf is not None else None
        try:
            chain = sampling.Chain(values, model.vocab, model.info.n_ctx)
        except BaseException:
            if bound is not None:
                bound.close()
            raise
        sequence = Sequence(
            id=command.id,
            request=request,
            prompt=prompt,
            sampling=values,
            chain=chain,
            grammar=bound,
            details=self._details(values, prompt.rendered, prompt.template_sha256, prompt.dropped_messages),
            seed_given=request.sampling.seed is not None,
        )
        kind = "truncated" if prompt.dropped_messages else "warning"
        sequence.notices.extend(Notice(text, kind) for text in prompt.notices)
        sequence.notices.extend(_notices(command, unchecked))
        return sequence

    def _details(self, values: Sampling, rendered: str, template_sha256: str, dropped: int) -> RunDetails:
        info, options = self._model.info, self._model.options
        return RunDetails(
            seed=values.seed,
            sampling=sampling.as_record(values),
            rendered_prompt=rendered,
            chat_template_sha256=template_sha256,
            gguf_path=str(self._model.path),
            quantization=info.quantization,
            architecture=info.architecture,
            llama_cpp_build=self._build,
            adapter_scale=(1.0 if options.lora_scale is None else options.lora_scale) if options.lora_path else None,
            n_ctx=info.n_ctx,
            n_gpu_layers=info.n_gpu_layers,
            n_threads=info.n_threads,
            flash_attn=info.flash_attn,
            cache_type_k=info.cache_type_k,
            cache_type_v=info.cache_type_v,
            dropped_messages=dropped,
        )


def _grammar_of_tools(request: ChatRequest) -> tuple[str | None, list[str]]:
    """Raises BadInput where the answer is to have another form already, or a tool's parameters are no schema."""
    if request.response_format.kind != "text":
        raise BadInput(
            "This model's chat template knows no tools, so they need the answer's format for themselves.",
            hint="Leave out the tools or the response format, or choose a model that knows tools.",
        )
    return grammar.gbnf_of(ResponseFormat(kind="json_schema", schema=answer_schema(request.tools)))


def _notices(command: Generate, unchecked: list[str]) -> list[Notice]:
    notices = []
    if command.request.tools and command.request.response_format.kind in ("json_object", "json_schema"):
        notices.append(Notice("The response format leaves this model no way to call a tool.", "ignored"))
    if unchecked:
        words = ", ".join(unchecked)
        notices.append(Notice(f"The grammar can't hold the model to these words of the schema: {words}.", "ignored"))
    attachments = ignored_attachments(command.request.messages)
    if attachments:
        notices.append(Notice(f"This model reads text only; {attachments} attachments were left out.", "ignored"))
    return notices
