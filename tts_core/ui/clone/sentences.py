"""Sentences to read aloud for a clone: about ten seconds each, with the sounds that the language has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_EVERY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "english": (
            "The rain had stopped before dawn, and when I opened the window, the whole street smelled of wet stone "
            "and fresh bread.",
            "Do you remember the old bookshop near the harbour? I went there yesterday, and they still have that "
            "strange blue clock.",
            "First we walked through the forest, then across a wide, quiet field, and just before evening we finally "
            "reached the village.",
        ),
        "chinese": (
            "天亮之前雨就停了，我推开窗户，整条街都是湿石板和新鲜面包的味道。",
            "你还记得码头旁边那家旧书店吗？我昨天去了一趟，那座奇怪的蓝色时钟居然还在走。",
            "我们先穿过一片树林，又走过安静宽阔的田野，快到傍晚的时候，终于看见了那个小村庄。",
        ),
        "german": (
            "Der Regen hatte noch vor der Dämmerung aufgehört, und als ich das Fenster öffnete, roch die ganze Straße "
            "nach frischem Brot.",
            "Erinnerst du dich an den alten Buchladen am Hafen? Ich war gestern dort, und die seltsame blaue Uhr hängt "
            "immer noch da.",
            "Zuerst gingen wir durch den Wald, dann über ein weites, stilles Feld, und kurz vor dem Abend erreichten "
            "wir endlich das Dorf.",
        ),
        "french": (
            "La pluie s'était arrêtée avant l'aube, et quand j'ai ouvert la fenêtre, toute la rue sentait la pierre "
            "mouillée et le pain frais.",
            "Tu te souviens de la vieille librairie près du port ? J'y suis allé hier, et leur étrange horloge bleue "
            "est toujours là.",
            "Nous avons d'abord traversé la forêt, puis un grand champ tranquille, et juste avant le soir nous sommes "
            "enfin arrivés au village.",
        ),
        "spanish": (
            "La lluvia había parado antes del amanecer, y cuando abrí la ventana, toda la calle olía a piedra mojada y "
            "a pan recién hecho.",
            "¿Te acuerdas de la vieja librería junto al puerto? Ayer pasé por allí, y todavía tienen aquel extraño "
            "reloj azul.",
            "Primero cruzamos el bosque, luego un campo ancho y tranquilo, y poco antes del anochecer llegamos por fin "
            "al pueblo.",
        ),
        "italian": (
            "La pioggia era cessata prima dell'alba, e quando ho aperto la finestra tutta la strada profumava di "
            "pietra bagnata e di pane fresco.",
            "Ti ricordi la vecchia libreria vicino al porto? Ci sono andato ieri, e hanno ancora quello strano "
            "orologio azzurro.",
            "Prima abbiamo attraversato il bosco, poi un campo ampio e silenzioso, e poco prima di sera siamo "
            "finalmente arrivati al paese.",
        ),
        "portuguese": (
            "A chuva tinha parado antes do amanhecer, e quando abri a janela, a rua inteira cheirava a pedra molhada e "
            "a pão fresco.",
            "Você se lembra da velha livraria perto do porto? Passei lá ontem, e eles ainda têm aquele estranho "
            "relógio azul.",
            "Primeiro atravessamos a floresta, depois um campo largo e tranquilo, e pouco antes da noite chegamos "
            "enfim à aldeia.",
        ),
        "russian": (
            "Дождь прекратился ещё до рассвета, и когда я открыл окно, вся улица пахла мокрым камнем и свежим хлебом.",
            "Помнишь старый книжный магазин у гавани? Я заходил туда вчера, и те странные синие часы всё ещё идут.",
            "Сначала мы шли через лес, потом по широкому тихому полю и лишь перед самым вечером добрались до деревни.",
        ),
        "japanese": (
            "夜明け前に雨がやみ、窓を開けると、通り全体に濡れた石と焼きたてのパンの香りが広がっていました。",
            "港の近くの古い本屋を覚えていますか。昨日行ってみたら、あの不思議な青い時計がまだ動いていました。",
            "まず森を抜け、それから広くて静かな野原を歩き、夕方になる少し前に、ようやく小さな村に着きました。",
        ),
        "korean": (
            "새벽이 되기 전에 비가 그쳤고, 창문을 열자 온 거리에 젖은 돌과 갓 구운 빵 냄새가 가득했습니다.",
            "항구 근처의 오래된 서점을 기억하나요? 어제 가 보았더니 그 이상한 파란 시계가 아직도 움직이고 있었어요.",
            "우리는 먼저 숲을 지나고, 넓고 조용한 들판을 건너, 저녁이 되기 조금 전에 마침내 마을에 도착했습니다.",
        ),
    }
)
LANGUAGES = tuple(_EVERY)
TAGS: Mapping[str, str] = MappingProxyType(
    dict(zip(LANGUAGES, ("en", "zh", "de", "fr", "es", "it", "pt", "ru", "ja", "ko"), strict=True))
)
"""The language tags, which are Whisper's codes, too."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that is offered."""

    language: str
    number: int = 0

    @property
    def text(self) -> str:
        return _EVERY[self.language][self.number]

    def following(self) -> Sentence:
        """The next sentence of the language; the first one comes after the last."""
        return Sentence(self.language, (self.number + 1) % len(_EVERY[self.language]))
