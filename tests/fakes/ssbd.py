"""A web server that gives SSBD's RDF in two documents."""

from __future__ import annotations

import hashlib

from parfocal.testing.loopback import Asked, Given

_HEAD = """@prefix : <http://ssbd.riken.jp/ontology/> .
@prefix obo: <http://purl.obolibrary.org/obo/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
"""
_TERMS = (
    _HEAD
    + """
obo:NCBITaxon_6239 rdfs:label "Caenorhabditis elegans"@en, "senchu"@ja .
obo:FBbi_00000251 rdfs:label "confocal microscopy" .
"""
)


class FakeSsbd:
    """Projects by number, each with data sets; ``/instances.ttl`` and ``/terms.ttl``."""

    def __init__(self) -> None:
        self.projects: dict[int, str] = {}
        self.changes = 0

    def add(self, number: int = 0) -> None:
        """Add a project."""
        number = number or max(self.projects, default=0) + 1
        self.projects[number] = f"Project {number}"

    def change(self, number: int = 0) -> None:
        """Give a project another title."""
        self.changes += 1
        self.projects[number or min(self.projects)] = f"Changed {self.changes}"

    def remove(self, number: int = 0) -> None:
        """Take a project away."""
        del self.projects[number or min(self.projects)]

    def answer(self, asked: Asked) -> Given:
        """Answer a request."""
        if asked.path not in ("/instances.ttl", "/terms.ttl"):
            return Given(404)
        text = _TERMS if asked.path == "/terms.ttl" else instances(self.projects)
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:12]}"'
        if asked.headers.get("if-none-match") == tag:
            return Given(304)
        return Given(200, text.encode(), "text/turtle", (("ETag", tag),))


def instances(projects: dict[int, str]) -> str:
    """Make the document of all projects."""
    return _HEAD + "".join(_project(number, title) for number, title in projects.items())


def _project(number: int, title: str) -> str:
    return f"""
:ssbd-project-{number} a :SSBD_Project ; rdfs:label "ssbd-project-{number}" ;
  :has_project_name "{number}-Bao-Embryo" ; :has_dataset_title "{title}" ;
  :has_description "Words" ; :has_submission_date "2022-11-23" ;
  :has_license "https://creativecommons.org/licenses/by/4.0/" ;
  :has_project_url "https://ssbd.riken.jp/database/project/{number}/" ;
  :has_dataset_output :ssbd-dataset-{number}-Fig1 ;
  :has_project_participant :ssbd-person-{number}-1 ;
  :has_project_publications :ssbd-paper-{number}-9 .
:ssbd-person-{number}-1 a :SSBD_person ; :has_first_name "Ada" ; :has_family_name "Example" ;
  :has_orcid "https://orcid.org/0000-0002-1825-0097" ; :has_organization "Home" .
:ssbd-paper-{number}-9 a :SSBD_paper_information ; :has_doi "https://doi.org/10.1000/P" ;
  :has_PMID "9" ; :has_paper_information "A paper" .
:ssbd-dataset-{number}-Fig1 a :SSBD_dataset ; :has_dataset_title "Data set {number}" ;
  :has_figure_number "Figure 1" ; :has_biosample_information :ssbd-biosample-{number}-Fig1 ;
  :has_imaging_method_total_info [ :has_imaging_method obo:FBbi_00000251 ; a :SSBD_x ] .
:ssbd-biosample-{number}-Fig1 a :SSBD_biosample_information ;
  :is_about_organism obo:NCBITaxon_6239 ; :has_description "wild type" .
:ssbd-dimension-{number}-Fig1 a :SSBD_dimension_data ; :has_x_scale "0.1 micrometer" .
:ssbd-ome-ngff-{number}-Fig1 a :SSBD_OME-NGFF-ZARR_information ; :has_size_x 512 ;
  :has_size_y 256 ; :has_s3_endpoint "https://s3.example/{number}.zarr" ;
  :has_vizarr_url "https://vizarr.example/?source={number}" ;
  :has_thumbnail_url "https://ssbd.example/{number}.png" .
"""
