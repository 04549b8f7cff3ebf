"""What the "?" of each panel says: three plain sentences, and one for each term that is a link in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape

from vaeviewer.analysis.prior import SHARES
from vaeviewer.backend.models.registry import AnyFamily
from vaeviewer.ui.panel import Explanation

_TERM = '<a href="{key}">{text}</a>'

TERMS = {
    "x": "x is an image: a grey level between 0 and 1 for each pixel.",
    "xhat": "<i>x̂</i> is the reconstruction of x: the decoder's mean image at the mean of q(z|x).",
    "z": "z is a code: the numbers that say where an image lies in the plane, two unless there are more or fewer "
    "latent dimensions.",
    "posterior": "q(z|x), the approximate posterior, says which codes z could have led to the image x: "
    "a Gaussian, whose mean and width the encoder computes from x.",
    "prior": "p(z), the prior, says which codes there are before any image is seen: a standard Gaussian, "
    "with mean 0 and standard deviation 1 along each axis.",
    "likelihood": "p(x|z), the likelihood, says which images the decoder expects at the code z: "
    "a probability for each pixel, and its mean is the image you see.",
    "kl": "KL(q ‖ p), the Kullback–Leibler divergence, says how far the distribution q is from p: "
    "0 where they are equal, and never less.",
    "elbo": "The ELBO, the evidence lower bound, is never more than log p(x), how probable the model finds an image: "
    "training makes it as large as it can.",
    "nats": "A nat measures information as a bit does, with e in place of 2: 1 nat is about 1.44 bits.",
    "beta": "β weighs the KL in what training maximises: above 1 the codes keep closer to the prior and say less "
    "of their image, below 1 they say more.",
}
"""A sentence for each term, by the key that its link has."""


def _link(key: str, text: str) -> str:
    return _TERM.format(key=key, text=text)


_X, _XHAT, _Z = _link("x", "x"), _link("xhat", "<i>x̂</i>"), _link("z", "z")
_POSTERIOR, _PRIOR = _link("posterior", "q(z|x)"), _link("prior", "p(z)")
_LIKELIHOOD, _KL, _ELBO = _link("likelihood", "p(x|z)"), _link("kl", "KL"), _link("elbo", "ELBO")
_NATS, _BETA = _link("nats", "nats"), _link("beta", "β")

_SHARES = ", ".join(f"{100 * share:.0f}" for share in SHARES[:-1]) + f" and {100 * SHARES[-1]:.0f} %"

_TERMS_OF_THE_BOUND = Explanation(
    see=f"Two terms that pull against each other, in {_NATS} per image: how well images are reconstructed, and how "
    f"far the codes are from the {_link('prior', 'prior')}.",
    attempt=f"Set {_BETA} to 10 while it trains: the {_KL} falls, and the reconstructions pay for it.",
    formula=f"{_ELBO} = E<sub>{_POSTERIOR}</sub>[log {_LIKELIHOOD}] − {_KL}({_POSTERIOR}&nbsp;‖&nbsp;{_PRIOR}) "
    "&nbsp;≤&nbsp; log p(x); the loss is −ELBO.",
)

EXPLANATIONS = {
    "Latent plane": Explanation(
        see=f"Each point is a training image, at the mean of its {_POSTERIOR}, coloured by what is chosen beside the "
        f"plane; the circles are 1, 2 and 3 standard deviations of {_PRIOR}. Of more than two latent dimensions it "
        "shows those chosen above it. Of one it is a line: a row for each class, thicker where more points are.",
        attempt="Press Train and watch the classes part; then drag from one cloud into another, and see one digit "
        "become the other.",
        formula=f"{_POSTERIOR} = N(μ(x), σ²(x)): the encoder computes the mean μ and the width σ from {_X}.",
    ),
    "Decoded image": Explanation(
        see=f"The image that the decoder draws at the handle: no image of the data, but what the model expects "
        f"at this {_Z}.",
        attempt="Drag the handle to where no points are: what is drawn there was never seen, and is often between "
        "two digits.",
        formula=f"The image is the mean of {_LIKELIHOOD} at the handle: E[x|z].",
    ),
    "Reconstructions": Explanation(
        see=f"Images {_X} that training never sees, and below each its reconstruction {_XHAT}: what is left of it "
        "after two numbers had to say everything.",
        attempt="Look for images whose reconstruction is another digit, and click points in the plane to see theirs.",
        formula=f"{_X} → {_Z} = mean of {_POSTERIOR} → {_XHAT} = mean of {_LIKELIHOOD}.",
    ),
    "Manifold": Explanation(
        see="All the plane at once: the decoder's image at each point of a grid, lying as in the plane.",
        attempt="Choose “Evenly in probability”: each image then stands for the same share of the "
        f"{_link('prior', 'prior')}, as in the paper.",
        formula=f"The images are means of {_LIKELIHOOD} at {_Z} = (Φ⁻¹(u₁), Φ⁻¹(u₂)) for evenly spaced u, or at "
        "evenly spaced z; Φ is the standard Gaussian's distribution function.",
    ),
    "Traversal": Explanation(
        see=f"A row for each number of {_Z}: the decoder's images while that number goes from −3 to 3, or as far as "
        "codes reach where nothing says where they should lie, and all others stay as they are at the handle. Rows "
        "that carry most come first; the short line is where it is now.",
        attempt="Point at images to see them large, and click one to go on from there; look for a row that changes "
        "the slant alone, or the thickness.",
        formula=f"The images are means of {_LIKELIHOOD} at {_Z} + (t − z<sub>k</sub>) e<sub>k</sub>, "
        "t evenly apart, as above the columns.",
    ),
    "Dimensions": Explanation(
        see=f"How much each number of {_Z} says of an image: its part of the {_KL}. Grey ones are inactive: their "
        "mean hardly changes from image to image, and the decoder learns to ignore them.",
        attempt="Click the longest bar, and Shift-click the second: the plane then shows these two. Train with "
        f"a larger {_BETA}, and see more of them fall asleep.",
        formula="KL<sub>k</sub> = ½ E[μ<sub>k</sub>² + σ<sub>k</sub>² − 1 − log σ<sub>k</sub>²] in "
        f"{_NATS}; active: Var[μ<sub>k</sub>(x)] &gt; 0.01 (Burda et al. 2015).",
    ),
    "Samples over time": Explanation(
        see=f"Columns are codes {_Z} drawn once, rows are times: what the decoder made of the same code then. The last "
        "row is the model as it is now.",
        attempt="Look whether columns come to rest, and whether two of them become the same image: then images get "
        "lost. Two networks that play against each other may go on for ever.",
        formula=f"The images are g({_Z}) at the step that stands beside them, with the same {_Z} in each column.",
    ),
    "Aggregate posterior": Explanation(
        see=f"All training images together. q(z) is the mean of all {_POSTERIOR}: where codes lie; {_PRIOR} is where "
        f"they should. The mean {_KL} is the sum of two: I(x; z), how much a code tells of which image it is of, and "
        "how far q(z) is from the prior. Blue in the ratio are holes: the prior draws codes there, but no image "
        "has its own near.",
        attempt=f"Click into a hole, and see what the decoder makes of it. Train with a larger {_BETA}: I(x; z) falls, "
        "and holes close. Where I(x; z) comes near log N, each image has a place of its own.",
        formula=f"E {_KL}({_POSTERIOR} ‖ {_PRIOR}) = I(x; z) + {_KL}(q(z) ‖ {_PRIOR}), q(z) = 1/N Σ<sub>n</sub> "
        "q(z|x<sub>n</sub>), I(x; z) ≤ log N (Hoffman &amp; Johnson 2016).",
    ),
    "Posterior lens": Explanation(
        see=f"Which codes {_Z} can really have led to one image: the shades are p(z|x), the ellipses the encoder's "
        f"{_POSTERIOR}. It is the selected image, or without one (Escape) the one decoded at the handle. All that lies "
        f"between log p(x) and the {_ELBO} is {_KL}({_POSTERIOR}&nbsp;‖&nbsp;p(z|x)), in {_NATS}: part of it since no "
        "Gaussian fits, the rest since the encoder does not find the best one.",
        attempt="Select images between two clouds and look for a second mode that the encoder misses; then run HMC, "
        "which finds p(z|x) without any encoder.",
        formula=f"log p(x) = {_ELBO} + {_KL}({_POSTERIOR}&nbsp;‖&nbsp;p(z|x)), and p(z|x) = p(x|z) p(z) / p(x), where "
        "p(x) is the integral of p(x|z) p(z) over the plane.",
    ),
    "Nearest images": Explanation(
        see=f"Training images near the handle: those whose codes are nearest in {_Z}, and those that look most like "
        "the decoded image. The sentence says whether images lie there at all.",
        attempt="Drag from one cloud into another, slowly: what is drawn in between is like no image. Then far out, "
        "where the decoder extrapolates: it was never trained on such a code.",
        formula=f"min<sub>i</sub> |{_Z} − μ<sub>i</sub>| over the means of {_POSTERIOR}, and "
        f"min<sub>i</sub> |{_X}<sub>i</sub> − E[x|z]|.",
    ),
    "Ledger": Explanation(
        see="Every image with its own numbers, those trained on and those held out, of the model at one step: a mean "
        "hides which images a model finds hard. Beside the table stand the worst and the best.",
        attempt="Click a number's title to sort by it, and the worst image to see where it lies in the plane; then "
        "press “Colour the plane”, and see whether hard images lie together.",
        formula=f"{_ELBO}(x) = log {_LIKELIHOOD} − {_KL}({_POSTERIOR}&nbsp;‖&nbsp;{_PRIOR}) in {_NATS}, for each "
        f"{_X} by itself, with one {_Z} drawn from {_POSTERIOR}. Gap = log p(x) − {_ELBO} = "
        f"{_KL}({_POSTERIOR}&nbsp;‖&nbsp;p(z|x)), with this ELBO's mean over {_POSTERIOR} by quadrature.",
    ),
    "Geometry": Explanation(
        see=f"How far codes {_Z} are apart for the decoder: the straight line in the plane and the shortest way found, "
        "each with its length and images at equal lengths. The map shades the plane where a small move changes what is "
        "decoded much; high ridges part one kind of image from the next.",
        attempt="Mark a place in one class (M) and drag the handle into another: the shortest way bends around high "
        "ridges, and its images change evenly. Where no data lie the decoder may hardly change, and a way lead "
        "through there.",
        formula=f"ds² = dzᵀ G dz with the Fisher information G({_Z}) = Jᵀ diag(1 / (p (1 − p))) J of {_LIKELIHOOD}, "
        "J = ∂p/∂z, for Bernoulli pixels; the map is √det G (Bishop et al. 1997, Arvanitidis et al. 2018, "
        "Chen et al. 2018).",
    ),
    "Draw": Explanation(
        see="A sheet of your own. The encoder says where your drawing lies in the plane, and the handle goes there; "
        "the decoder draws it again. log p(x) says how probable the model finds it, beside held-out images.",
        attempt="Draw a digit, then one between two digits, then a face. Select an image in the plane, take it onto "
        "the sheet and rub out its upper half.",
        formula=f"{_X} → {_POSTERIOR} → its mean → {_LIKELIHOOD}. log p({_X}) = log ∫ {_LIKELIHOOD} {_PRIOR} d{_Z}.",
    ),
    "ELBO terms": _TERMS_OF_THE_BOUND,
    "Settings": Explanation(
        see="How the two networks are built and how they are trained; what needs new weights is grey "
        "while a run lasts.",
        attempt=f"Choose the preset “Paper” and compare its {_ELBO}, or change {_BETA} while it trains.",
        formula=f"Each step moves the weights up the gradient of E<sub>{_POSTERIOR}</sub>[log {_LIKELIHOOD}] − "
        f"{_BETA} · {_KL}({_POSTERIOR}&nbsp;‖&nbsp;{_PRIOR}), by about the learning rate.",
    ),
}
"""Of the panels there are, by title."""


def explanation_of(title: str, family: AnyFamily) -> Explanation:
    """What a panel shows of a kind of model.

    The sentences above are those of a model with q(z|x), p(x|z) and the ELBO; what a family has not, they leave out.
    """
    found, can = EXPLANATIONS[title], family.capabilities
    if title in ("ELBO terms", "Settings", "Ledger") and not {"elbo", "kl"} <= {
        metric.key for metric in family.metrics
    }:
        return _of_its_metrics(title, family)
    if title == "Settings" and "paper" not in family.presets:
        return replace(found, attempt=f"Change a setting, train again and compare its {_ELBO}.")
    if can.has_density and can.encodes and can.follows_normal:
        return found
    match title:
        case "Latent plane":
            return _of_plane(family, found.attempt)
        case "Decoded image":
            return replace(
                found, formula=f"The image is {_XHAT} = g({_Z}): what the decoder computes at the handle."
            )
        case "Draw":
            return Explanation(
                "A sheet of your own. The encoder says where your drawing lies in the plane, and the handle goes "
                "there; the decoder draws it again.",
                found.attempt,
                f"{_X} → {_Z} = f({_X}) → {_XHAT} = g({_Z}).",
            )
        case "Aggregate posterior":
            return Explanation(
                "All training images together: where their codes lie, and how well a code tells its image's class.",
                "Compare models by the share of images whose class is that of most of the codes nearest to theirs.",
                f"min<sub>i</sub> |{_Z} − {_Z}<sub>i</sub>| over the codes of all other images.",
            )
        case "Reconstructions":
            return replace(found, formula=f"{_X} → {_Z} = f({_X}) → {_XHAT} = g({_Z}).")
        case "Manifold":
            return Explanation(
                found.see,
                found.attempt.removesuffix(", as in the paper.").removesuffix(".") + "."
                if can.generates
                else "Drag in the picture, and see where that is in the plane.",
                f"The images are {_XHAT} = g({_Z}) at evenly spaced {_Z}.",
            )
        case "Nearest images" if not can.encodes:
            return Explanation(
                "Training images that look most like the one decoded at the handle.",
                "Drag, and look whether the model draws what is in none of them, or one of them again.",
                f"min<sub>i</sub> |{_X}<sub>i</sub> − g({_Z})|.",
            )
        case "Nearest images":
            return replace(
                found,
                formula=f"min<sub>i</sub> |{_Z} − {_Z}<sub>i</sub>|, and min<sub>i</sub> |{_X}<sub>i</sub> − {_XHAT}|.",
            )
        case "Traversal":
            return replace(
                found,
                formula=f"The images are {_XHAT} = g({_Z} + (t − z<sub>k</sub>) e<sub>k</sub>), t as above them.",
            )
        case "Geometry":
            return _of_geometry(family, found)
        case "Dimensions":
            return Explanation(
                f"How much each number of {_Z} varies from image to image. Grey ones are inactive: they hardly do.",
                "Click the longest bar, and Shift-click the second: the plane then shows these two.",
                "The bars are Var[z<sub>k</sub>] over the images; active: above 0.01 (Burda et al. 2015).",
            )
    return found


def _of_geometry(family: AnyFamily, found: Explanation) -> Explanation:
    if family.capabilities.has_density:
        return found
    return replace(
        found,
        formula=f"ds² = dzᵀ JᵀJ dz with J = ∂<i>x̂</i>/∂z: without {_LIKELIHOOD} the pixels of <i>x̂</i> = g({_Z}) "
        "say how far apart codes are. The map is √det JᵀJ.",
    )


def _of_plane(family: AnyFamily, attempt: str) -> Explanation:
    can = family.capabilities
    prior = ""
    if can.follows_normal:
        prior = f"; the circles are 1, 2 and 3 standard deviations of {_PRIOR}"
    elif can.generates:
        prior = f"; the lines hold {_SHARES} of {_PRIOR}, which is no standard Gaussian"
    if not can.encodes:
        return Explanation(
            f"Each point is a code {_Z} drawn from {_PRIOR}, in the colour of the class that its image looks like to a "
            "small classifier, trained on the labels of the data; without labels, by density. Images of the data have "
            f"no place here, as nothing computes {_Z} from {_X}{prior}.",
            "Look for classes that are missing or crowd out others, and drag from one colour into the next.",
            f"{_Z} ~ {_PRIOR}; the image is g({_Z}).",
        )
    return Explanation(
        f"Each point is a training image, at its code {_Z}, coloured by what is chosen beside it{prior}.",
        attempt,
        f"{_Z} = f({_X}): the encoder computes the code from the image.",
    )


def _of_its_metrics(title: str, family: AnyFamily) -> Explanation:
    best = family.metrics.headline
    about = f"{escape(family.title)} ({escape(family.source)}): {escape(family.sentence)}"
    if title == "Settings":
        see = EXPLANATIONS[title].see
        attempt = f"Change a setting, train again and compare: {escape(best.title)}, {escape(best.unit)}."
        return Explanation(see, attempt, about)
    helps = [f"{escape(metric.title)}: {escape(metric.help)}" for metric in family.metrics if metric.help]
    see = " ".join(helps) or f"{escape(best.title)}, {escape(best.unit)}."
    if title == "Ledger":
        return replace(EXPLANATIONS[title], formula=see)
    return Explanation(see, "Change a setting above the plane while it trains, and watch the curves.", about)


def terms_of(family: AnyFamily) -> Mapping[str, str]:
    """A sentence for each term, as it is meant of a kind of model."""
    terms = dict(TERMS)
    if not family.capabilities.normal_prior:
        terms["prior"] = "p(z), the prior, says which codes there are before any image is seen."
    if family.capabilities.has_density:
        return terms
    return {**terms, "xhat": "<i>x̂</i> is the reconstruction of x: what the decoder draws at the code of x."}


def rich_text(found: Explanation) -> str:
    """Its three sentences, each with what it is about."""
    parts = (("What you see", found.see), ("What to try", found.attempt), ("The formula", found.formula))
    return "".join(f"<p><b>{heading}.</b> {sentence}</p>" for heading, sentence in parts)
