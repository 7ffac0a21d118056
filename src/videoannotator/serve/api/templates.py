"""Routes: templates, which are presets of what to run and how."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from videoannotator.serve.access.principals import Principal
from videoannotator.serve.api.asking import Anybody, Serving, Writer
from videoannotator.serve.api.models import After, Limit, Model, Text, moment_text, problems_for
from videoannotator.serve.api.models_jobs import Asked, IssueShown
from videoannotator.serve.api.quick import quick
from videoannotator.serve.service import Service
from videoannotator.serve.store.paging import Cursor
from videoannotator.serve.store.templates import Template
from videoannotator.serve.submitting import Submission, judged

__all__ = ["router"]

router = APIRouter(tags=["templates"])

Title = Annotated[Text, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class NewTemplate(Model):
    """A template to be kept. ``request``: what a job says, without its video."""

    name: Title = Field(examples=["classroom"])
    description: Text | None = Field(default=None, max_length=2000)
    shared: bool = Field(default=False, description="everybody may use it")
    request: Asked = Field(examples=[{"pipelines": ["voice_activity"], "config": {}}])


class TemplateChange(Model):
    """What is to be changed of a template."""

    name: Title | None = None
    description: Text | None = Field(default=None, max_length=2000)
    shared: bool | None = None
    request: Asked | None = None


class TemplateShown(BaseModel):
    """A template."""

    id: str
    name: str
    description: str | None
    shared: bool
    own: bool = Field(description="the one who asks made it")
    request: dict[str, Any]
    warnings: list[IssueShown] = Field(description="what would stop or change a job that uses it now")
    created_at: str
    updated_at: str


class TemplateList(BaseModel):
    """Templates, newest first."""

    templates: list[TemplateShown]
    next_cursor: str | None


def _shown(service: Service, principal: Principal, template: Template) -> TemplateShown:
    verdict = judged(service, Submission(principal=principal, plain=template.request))
    return TemplateShown(
        id=template.id,
        name=template.name,
        description=template.description,
        shared=template.shared,
        own=template.owner_id == principal.user_id,
        request=template.request,
        warnings=[IssueShown.of(issue) for issue in (*verdict.errors, *verdict.warnings)],
        created_at=moment_text(template.created_at) or "",
        updated_at=moment_text(template.updated_at) or "",
    )


@router.get("/templates", response_model=TemplateList, responses=problems_for())
@quick
def list_templates(service: Serving, principal: Anybody, cursor: After = None, limit: Limit = 50) -> TemplateList:
    """One's own templates and the shared ones, newest first."""
    found = service.templates.page(principal.user_id, after=Cursor.of(cursor), limit=limit)
    after = Cursor.after(found, limit)
    return TemplateList(
        templates=[_shown(service, principal, template) for template in found],
        next_cursor=None if after is None else str(after),
    )


@router.post("/templates", status_code=201, response_model=TemplateShown, responses=problems_for(409))
def make_template(response: Response, service: Serving, principal: Writer, new: NewTemplate) -> TemplateShown:
    """Keep a template. What a run would refuse is refused at once, with everything that is wrong."""
    plain = new.request.plain()
    judged(service, Submission(principal=principal, plain=plain)).required()
    template = service.templates.add(principal.user_id, new.name, plain, description=new.description, shared=new.shared)
    response.headers["Location"] = f"/api/v1/templates/{template.id}"
    return _shown(service, principal, template)


@router.get("/templates/{template_id}", response_model=TemplateShown, responses=problems_for(404))
@quick
def show_template(service: Serving, principal: Anybody, template_id: str) -> TemplateShown:
    """One template."""
    template = service.templates.get(template_id, principal.user_id, admin=principal.may("admin"))
    return _shown(service, principal, template)


@router.put("/templates/{template_id}", response_model=TemplateShown, responses=problems_for(404, 409))
def change_template(service: Serving, principal: Writer, template_id: str, change: TemplateChange) -> TemplateShown:
    """Change what is given; the rest stays. Jobs that used it keep what they were given."""
    values: dict[str, Any] = change.model_dump(exclude_unset=True, exclude={"request"})
    values = {key: value for key, value in values.items() if value is not None or key == "description"}
    if change.request is not None:
        values["request"] = change.request.plain()
        judged(service, Submission(principal=principal, plain=values["request"])).required()
    template = service.templates.change(template_id, principal.user_id, values, admin=principal.may("admin"))
    return _shown(service, principal, template)


@router.delete("/templates/{template_id}", status_code=204, responses=problems_for(404))
def delete_template(service: Serving, principal: Writer, template_id: str) -> None:
    """Delete a template; jobs that used it stay as they are."""
    service.templates.remove(template_id, principal.user_id, admin=principal.may("admin"))
