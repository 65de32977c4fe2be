"""The look as a Gradio theme: system fonts, warm paper and ink, one vermilion accent. Finer rules: assets/styles."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.colors import Color

INK = Color(
    name="ink",
    c50="#faf8f5",
    c100="#f3efe9",
    c200="#e6e0d7",
    c300="#d3cbbf",
    c400="#a39a8d",
    c500="#756d62",
    c600="#575047",
    c700="#3d3832",
    c800="#262320",
    c900="#1b1917",
    c950="#131211",
)
VERMILION = Color(
    name="vermilion",
    c50="#fff4ee",
    c100="#ffe5d8",
    c200="#fec7ae",
    c300="#fca27c",
    c400="#f9794b",
    c500="#e4572b",
    c600="#c4401a",
    c700="#a23315",
    c800="#812a14",
    c900="#692614",
    c950="#390f06",
)
# Names of installed fonts only: a web font would stall the page offline and where font hosts are blocked.
SANS = ("ui-sans-serif", "system-ui", "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
STYLES = (
    "page.css",
    "speak.css",
    "texts.css",
    "models.css",
    "voices.css",
    "picker.css",
    "library.css",
    "studio.css",
    "common.css",
)
"""The style sheets in their order: of two rules alike, the later one holds."""
MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Consolas", "Noto Sans Mono", "monospace")


LOOK = {
    "body_background_fill": "*neutral_50",
    "body_background_fill_dark": "*neutral_950",
    "body_text_color": "*neutral_900",
    "body_text_color_dark": "*neutral_100",
    "body_text_color_subdued": "*neutral_600",
    "body_text_color_subdued_dark": "*neutral_400",
    "background_fill_primary": "white",
    "background_fill_primary_dark": "*neutral_900",
    "background_fill_secondary": "*neutral_100",
    "background_fill_secondary_dark": "*neutral_800",
    "border_color_primary": "*neutral_200",
    "border_color_primary_dark": "*neutral_700",
    "color_accent": "*primary_600",
    "color_accent_soft": "*primary_50",
    "color_accent_soft_dark": "*neutral_800",
    "block_background_fill": "transparent",
    "block_background_fill_dark": "transparent",
    "input_border_width": "1px",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_padding": "0px",
    "block_label_background_fill": "transparent",
    "block_label_text_color": "*body_text_color_subdued",
    "block_label_text_color_dark": "*body_text_color_subdued",
    "block_title_text_color": "*neutral_800",
    "block_title_text_color_dark": "*neutral_200",
    "block_title_text_weight": "600",
    "block_info_text_color": "*body_text_color_subdued",
    "block_info_text_color_dark": "*body_text_color_subdued",
    "input_background_fill": "white",
    "input_background_fill_dark": "*neutral_950",
    "input_border_color": "*neutral_300",
    "input_border_color_dark": "*neutral_700",
    "input_border_color_focus": "*primary_600",
    "input_border_color_focus_dark": "*primary_400",
    "input_placeholder_color": "*neutral_500",
    "input_placeholder_color_dark": "*neutral_400",
    "input_shadow_focus": "none",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "button_primary_background_fill_dark": "*primary_600",
    "button_primary_background_fill_hover_dark": "*primary_500",
    "button_primary_text_color": "white",
    "button_primary_shadow": "none",
    "button_secondary_background_fill": "transparent",
    "button_secondary_background_fill_dark": "transparent",
    "button_secondary_background_fill_hover": "*neutral_100",
    "button_secondary_background_fill_hover_dark": "*neutral_800",
    "button_secondary_border_color": "*neutral_300",
    "button_secondary_border_color_dark": "*neutral_600",
    "button_secondary_text_color": "*neutral_800",
    "button_secondary_text_color_dark": "*neutral_100",
    "button_border_width": "1px",
    "button_large_radius": "*radius_md",
    "button_small_radius": "*radius_md",
    "checkbox_border_radius": "4px",
    "slider_color": "*primary_600",
    "slider_color_dark": "*primary_500",
    "link_text_color": "*primary_700",
    "link_text_color_dark": "*primary_300",
}
"""Gradio's theme variables (gradio.app/guides/theming-guide); a star refers to another variable."""


def build_theme() -> gr.themes.Base:
    theme = gr.themes.Base(
        primary_hue=VERMILION,
        secondary_hue=VERMILION,
        neutral_hue=INK,
        spacing_size=gr.themes.sizes.spacing_lg,
        radius_size=gr.themes.sizes.radius_lg,
        text_size=gr.themes.sizes.text_md,
        font=SANS,
        font_mono=MONO,
    )
    return theme.set(**LOOK)
